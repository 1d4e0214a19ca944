"""The published Python client (`ringcentral` 0.9.2) makes the calls of RingCentral's documentation and of its samples.

Run by test_python_sdk.py in an environment of its own; prints one JSON object per step. The environment variables name
the gateway as its own first five lines do (RINGCENTRAL_SERVER_URL and so on).
"""

import asyncio
import base64
import hashlib
import json
import os
import urllib.parse
import urllib.request

from ringcentral import SDK
from ringcentral.http.api_exception import ApiException
from ringcentral.websocket.events import WebSocketEvents

EXTENSION = "/restapi/v1.0/account/~/extension/~"
PICTURE = ("test.jpg", b"\xff\xd8\xff\xe0", "image/jpeg")
BACK = "http://127.0.0.1:9/back"


def say(step, **facts):
    print(json.dumps({"step": step, **facts}), flush=True)  # noqa: T201


def order(name, **members):
    url, content = f"{os.environ['RINGCENTRAL_SERVER_URL']}/_gateway/{name}", json.dumps(members).encode()
    with urllib.request.urlopen(urllib.request.Request(url, content, method="POST")) as answer:
        return json.load(answer)["result"]


def sdk_of(jwt):
    env = os.environ
    sdk = SDK(env["RINGCENTRAL_CLIENT_ID"], env["RINGCENTRAL_CLIENT_SECRET"], env["RINGCENTRAL_SERVER_URL"])
    sdk.platform().login(jwt=env[jwt])
    return sdk


def sender_of(platform):
    """Return the first number that can send, as the samples look it up."""
    numbers = platform.get(f"{EXTENSION}/phone-number").json().records
    return next(one.phoneNumber for one in numbers if "SmsSender" in one.features)


def send(sdk, own, other):
    """SMS, its status; MMS and fax by the MultipartBuilder, in both forms that it has."""
    platform = sdk.platform()
    parties = {"from": {"phoneNumber": own}, "to": [{"phoneNumber": other}]}
    sms = platform.post("/account/~/extension/~/sms", {**parties, "text": "Test SMS from Python"}).json()
    order("set_message_status", message_id=sms.id, status="Delivered")
    status = platform.get(f"{EXTENSION}/message-store/{sms.id}").json().messageStatus

    def upload(path, body, *, is_mixed=False):
        builder = sdk.create_multipart_builder().set_body(body).set_multipart_mixed(is_mixed)
        builder.add(PICTURE)
        builder.add(("notes.txt", "some plain text", "text/plain"))
        return platform.send_request(builder.request(f"{EXTENSION}/{path}")).json_dict()

    fax = {"to": [{"phoneNumber": other}], "faxResolution": "High", "coverPageText": "cover"}
    say(
        "sent",
        sms=sms.id,
        status=status,
        mms=upload("mms", {**parties, "text": "Look"}),
        fax=upload("fax", fax),
        mixed=upload("fax", fax, is_mixed=True),
    )
    return str(sms.id)


def read_messages(platform, sms):
    """Filter the message store, download attachments, mark, delete, and read several at once."""
    store = platform.get(f"{EXTENSION}/message-store", {"messageType": ["SMS", "Fax"], "direction": "Inbound"}).json()
    files = [
        platform.get(one.uri).response().content.hex()
        for record in store.records
        for one in record.attachments
        if one.contentType == PICTURE[2]
    ]
    first = store.records[0].id
    marked = platform.put(f"{EXTENSION}/message-store/{first}", {"readStatus": "Read"}).json().readStatus
    deleted = platform.delete(f"{EXTENSION}/message-store/{first}").response().status_code
    ids = ",".join(str(record.id) for record in store.records)
    parts = platform.get(f"{EXTENSION}/message-store/{ids}").multipart()
    batch = [[part.response().status_code, part.json_dict()["availability"]] for part in parts]
    try:
        platform.get(f"{EXTENSION}/message-store/{sms}")
    except ApiException as exc:
        refused = exc.api_response().response().status_code
    say("read", types=[one.type for one in store.records], files=files, marked=marked, deleted=deleted, batch=batch)
    say("refused", status=refused)


def presence_and_calls(platform):
    """Presence of oneself, of others and of the account; the call log."""
    path = f"{EXTENSION}/presence"
    before = platform.get(f"{path}?detailedTelephonyState=true").json_dict()
    changed = platform.put(path, {"userStatus": "Busy", "dndStatus": "DoNotAcceptAnyCalls"}).json_dict()
    ids = [one.id for one in platform.get("/restapi/v1.0/account/~/extension", {"type": "User"}).json().records]
    others = platform.get(f"/restapi/v1.0/account/~/extension/{','.join(map(str, ids))}/presence").multipart()
    account = platform.get("/restapi/v1.0/account/~/presence").json_dict()["records"]
    order("ring", to_extension="101")
    order("miss")
    log = platform.get(f"{EXTENSION}/call-log", {"view": "Detailed", "result": "Missed"}).json().records
    company = platform.get("/restapi/v1.0/account/~/call-log", {"view": "Simple"}).json().records
    sync = platform.get(f"{EXTENSION}/call-log-sync", {"syncType": ["FSync"]}).json()
    again = platform.get(f"{EXTENSION}/call-log-sync", {"syncType": "ISync", "syncToken": sync.syncInfo.syncToken})
    say(
        "presence",
        before=before["presenceStatus"],
        changed=[changed["presenceStatus"], changed["dndStatus"]],
        others=[one.json_dict()["presenceStatus"] for one in others],
        account=len(account),
    )
    say(
        "calls",
        log=[one.result for one in log],
        company=len(company),
        sync=[len(sync.records), len(again.json().records)],
    )


async def subscribe(sdk, colleague, own, other):
    """Print what comes for two filters, of which a colleague causes one."""
    loop, notified = asyncio.get_running_loop(), asyncio.Queue()
    connected, answered = loop.create_future(), loop.create_future()

    def on_message(text):
        if json.loads(text)[0]["type"] == "ClientRequest":
            answered.set_result(json.loads(text))

    client = sdk.create_web_socket_client()
    client.on(WebSocketEvents.connectionCreated, connected.set_result)
    client.on(WebSocketEvents.receiveMessage, on_message)
    client.on(WebSocketEvents.receiveSubscriptionNotification, notified.put_nowait)
    receiving = asyncio.create_task(client.create_new_connection())
    await connected
    await client.create_subscription([f"{EXTENSION}/message-store/instant?type=SMS", f"{EXTENSION}/presence"])
    await answered
    text = {"from": {"phoneNumber": other}, "to": [{"phoneNumber": own}], "text": "from a colleague"}
    await asyncio.to_thread(colleague.platform().post, f"{EXTENSION}/sms", text)
    _, sms = await notified.get()
    await asyncio.to_thread(sdk.platform().put, f"{EXTENSION}/presence", {"userStatus": "Available"})
    _, presence = await notified.get()
    say("events", sms=sms["body"]["subject"], presence=presence["body"]["userStatus"])
    await client.close_connection()
    await asyncio.gather(receiving, return_exceptions=True)


def log_in_with_pkce(sdk):
    """Go the way of a web application: the link, the user's decision, the code."""
    platform = sdk.platform()
    verifier = "a-verifier-of-at-least-forty-three-characters"
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    query = {"response_type": "code", "client_id": os.environ["RINGCENTRAL_CLIENT_ID"], "redirect_uri": BACK}
    query |= {"state": "a b", "code_challenge": challenge, "code_challenge_method": "S256"}
    try:
        url = platform.login_url(BACK, state="a b", challenge=challenge)
    except NameError:  # the published module uses `urllib` without importing it, so applications build the link
        url = f"{os.environ['RINGCENTRAL_SERVER_URL']}/restapi/oauth/authorize?{urllib.parse.urlencode(query)}"

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, req, fp, code, msg, headers, newurl):
            raise LookupError(newurl)

    try:
        urllib.request.build_opener(Stay).open(url)
    except LookupError as exc:
        back = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(str(exc)).query))
    platform.login(code=back["code"], redirect_uri=BACK, verifier=verifier)
    before = platform.auth().access_token()
    platform.refresh()
    changed = platform.auth().access_token() != before
    say("code", state=back["state"], who=platform.get(EXTENSION).json().extensionNumber, refreshed=changed)
    platform.logout()


def main():
    sdk, colleague = sdk_of("RINGCENTRAL_JWT"), sdk_of("RINGCENTRAL_SECOND_JWT")
    own, other = sender_of(sdk.platform()), sender_of(colleague.platform())
    sms = send(sdk, own, other)
    read_messages(colleague.platform(), sms)
    presence_and_calls(sdk.platform())
    asyncio.run(asyncio.wait_for(subscribe(sdk, colleague, own, other), timeout=20))
    log_in_with_pkce(sdk)


if __name__ == "__main__":
    main()
