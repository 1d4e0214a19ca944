"""An application of FastAPI as a user writes it; test_fastapi.py runs it under uvicorn, in processes of its own."""

import os
from contextlib import asynccontextmanager

import anyio.from_thread
from fastapi import FastAPI

from rcex_ws import FileSessionStore, FileTokenStore, RestError, RingCentral, WebSocketExtension

EXTENSION = "/restapi/v1.0/account/~/extension/~"
FOLDER = os.environ["STATE_DIR"]

rc = RingCentral(
    server=os.environ["RINGCENTRAL_SERVER_URL"],
    client_id=os.environ["RINGCENTRAL_CLIENT_ID"],
    client_secret=os.environ["RINGCENTRAL_CLIENT_SECRET"],
    token_store=FileTokenStore(f"{FOLDER}/token.json"),
)
ws_ext = WebSocketExtension(rest_over_websocket=True, session_store=FileSessionStore(f"{FOLDER}/session.json"))
got = []
gaps = []


@asynccontextmanager
async def lifespan(app):
    async with rc:
        await rc.authorize(jwt=os.environ["RINGCENTRAL_JWT"])
        await rc.install_extension(ws_ext)
        ws_ext.on("notificationGap", lambda gap: gaps.append(gap.reason))
        await ws_ext.subscribe([f"{EXTENSION}/message-store"], lambda notification: got.append(notification.uuid))
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/me")
async def me():
    answer = await rc.get(EXTENSION)
    return {"via": answer.via, "name": answer.json()["name"]}


@app.get("/from-a-thread")
def from_a_thread():
    answer = anyio.from_thread.run(rc.get, EXTENSION)
    return {"via": answer.via}


@app.get("/in-a-loop-of-its-own")
def in_a_loop_of_its_own():
    try:
        anyio.run(rc.get, EXTENSION)
    except RuntimeError as error:
        return {"error": type(error).__name__, "text": str(error)}


@app.get("/refused")
async def refused():
    try:
        await rc.get("/restapi/v1.0/account/~/extension/1")
    except RestError as error:
        return {"status": error.status_code}


@app.get("/state")
async def state():
    recovery = ws_ext.last_recovery
    outcome = None if recovery is None else recovery.outcome
    return {"state": ws_ext.state, "pid": os.getpid(), "outcome": outcome, "got": got, "gaps": gaps}
