"""The REST API of the local RingCentral: one module per area, each with its handlers.

operation.py     what an operation is: an annotated handler, from which checks and routes are derived
arguments.py     queries and bodies as the types that a handler names
application.py   the Starlette application made of all operations, and its error answers
openapi.py       the OpenAPI document of all operations
control.py       the commands of the gateway over HTTP, outside RingCentral's paths
batch.py         requests for several ids at once
oauth.py, subscription.py, people.py, message_store.py, sms.py, ...   the areas

A handler is a plain function: `Ask` has who asks and what for, checked already; it returns the JSON of the answer.
"""
