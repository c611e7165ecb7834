"""The messages and gRPC stubs of Pulumi's protocols, from the SDK's package but without the SDK: the engine needs nothing else of it,
and `import pulumi` takes almost as long as all other imports of the engine."""

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS as OPTIONS
    from pulumi.runtime.proto import (
        engine_pb2,
        engine_pb2_grpc,
        provider_pb2,
        provider_pb2_grpc,
        resource_pb2,
        resource_pb2_grpc,
    )
else:
    # The generated modules import each other relatively, and nothing else of the SDK: any package can contain them.
    _package = ModuleType("pulumi_protocol")
    _runtime = Path(find_spec("pulumi").origin).parent / "runtime"
    _package.__path__ = [str(_runtime / "proto"), str(_runtime)]
    sys.modules[_package.__name__] = _package
    from pulumi_protocol import (
        engine_pb2,
        engine_pb2_grpc,
        provider_pb2,
        provider_pb2_grpc,
        resource_pb2,
        resource_pb2_grpc,
    )
    from pulumi_protocol._grpc_settings import _GRPC_CHANNEL_OPTIONS as OPTIONS

__all__ = [
    "OPTIONS",
    "engine_pb2",
    "engine_pb2_grpc",
    "provider_pb2",
    "provider_pb2_grpc",
    "resource_pb2",
    "resource_pb2_grpc",
]
