"""The gateway and its users, as the tests of the REST API have them."""

from tests.gateway.api.conftest import ada, app, bob, gateway_options, runner

__all__ = ["ada", "app", "bob", "gateway_options", "runner"]
