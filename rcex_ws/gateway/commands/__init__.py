"""What a test or a developer may order: faults, and what other people do (a text message comes, somebody calls).

Each command is a method of a class here, a base of `GatewayApp`. It can be called on a `Gateway`, and over HTTP by
`POST /_gateway/<name>`, which `rcex_ws.gateway.api.control` derives from its signature and docstring.
"""
