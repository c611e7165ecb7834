"""The messages and gRPC stubs of Pulumi's protocols, from the SDK's package but without the SDK: the engine needs nothing else of it,
and `import pulumi` takes almost as long as all other imports of the engine."""

# ruff: noqa: PLC0414 (names are imported for other modules)

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulumi.runtime import _grpc_settings
    from pulumi.runtime.proto import engine_pb2 as engine_pb2
    from pulumi.runtime.proto import engine_pb2_grpc as engine_pb2_grpc
    from pulumi.runtime.proto import provider_pb2 as provider_pb2
    from pulumi.runtime.proto import provider_pb2_grpc as provider_pb2_grpc
    from pulumi.runtime.proto import resource_pb2 as resource_pb2
    from pulumi.runtime.proto import resource_pb2_grpc as resource_pb2_grpc
else:
    # The generated modules import each other relatively, and nothing else of the SDK: any package can contain them.
    _package = ModuleType("pulumi_protocol")
    _runtime = Path(find_spec("pulumi").origin).parent / "runtime"
    _package.__path__ = [str(_runtime / "proto"), str(_runtime)]
    sys.modules[_package.__name__] = _package

    def __getattr__(name: str) -> ModuleType:
        if name.startswith("__"):
            raise AttributeError(name)
        return import_module(f"{_package.__name__}.{name}")

    _grpc_settings = __getattr__("_grpc_settings")

OPTIONS = _grpc_settings._GRPC_CHANNEL_OPTIONS
