"""The adapter between `pulumi.dynamic` and a typed lifecycle.

A resource is four classes in one file: its arguments (a record), its state (a subclass with what the vendor adds), a `Provider`
with the lifecycle, and the `Resource` that a program declares. The lifecycle:

    validate   check    what is wrong with the arguments; pure
    ensure     create   look the object up by its natural key, adopt it, otherwise create it; idempotent
    observe    read     the object as it is, or None when it is gone
    sync       update   change the object to match the arguments
    remove     delete   succeeds when the object is already gone

The engine's requirements on dynamic providers are handled here, once for all resources:

- `check` and `diff` run one at a time and in previews: they do no I/O, and unknown values pass through them.
- A drifted object is compared field by field, state against arguments; `read` returns inputs, so refresh shows `x: 1 => 9`.
- A failure is one line without a traceback. A `BaseException` that is not an `Exception` would hang the CLI: it is converted.
- Check failures name no property, because the engine prints the value of a named property, secret or not.
- An instance keeps nothing but the configuration that the engine hands over. The dotted path of the class is stored in the
  state of every stack. One instance serves four threads.
"""

import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import pulumi
from msgspec.structs import replace
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    Config,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from providers import engine
from providers.adoption import Adoptable
from providers.errors import ErrorText, Incomplete, Problem, ProviderError, Unexpected
from providers.properties import (
    KEPT,
    REPLACES,
    SECRET,
    BadProperties,
    decode,
    encode,
    holds_records,
    is_known,
    marked,
)

ArgsT = TypeVar("ArgsT")
StateT = TypeVar("StateT")

DEFECT = ErrorText(
    "{kind}: {error} (a defect, at {file}:{line} in {function})", remedy="report it with this line", error=Unexpected
)


_unaliased: Any = classmethod(lambda cls, _: cls)
"""At run time `Provider[VolumeArgs, VolumeState]` is just `Provider`. Only the type checker needs the alias, and `typing` takes as long
to create it as Python to create a class."""


class Provider(ResourceProvider, Generic[ArgsT, StateT]):
    """Base of all our dynamic providers. A subclass sets `Args` and `State` and implements the lifecycle below."""

    serialize_as_secret_always = False

    Args: ClassVar[type[Any]]
    """The record of the arguments."""
    State: ClassVar[type[Any]]
    """The record of the outputs: a subclass of `Args`, so that every argument is an output too."""
    validates_unknown: ClassVar[bool] = False
    """Whether `validate` is also called in a preview where values are still `Unknown`, and skips those."""
    replaces_by_deleting_first: ClassVar[bool] = False
    """Whether a replacement must free the old object's name or volume before the new one can exist."""

    if not TYPE_CHECKING:
        __class_getitem__ = _unaliased

    config: Config
    """The stack's configuration; set by the engine before the first call, absent in the program's process."""

    # The lifecycle: what a subclass implements.

    def validate(self, args: ArgsT, old: ArgsT | None) -> Iterable[Problem | str]:
        """What is wrong with `args`; `old` are those of the last `up`, None for a new object. Called only when all values are known,
        unless `validates_unknown`."""
        return ()

    def changed_fields(self, state: StateT, args: ArgsT) -> Iterable[str]:
        """The names of the arguments in which the object differs. Override it if different values mean the same, and to add a
        computed output that only a replacement can fix."""
        kept = marked(self.Args, KEPT)
        compared = (name for name in self.Args.__struct_fields__ if name not in kept)
        return [name for name in compared if getattr(state, name) != getattr(args, name)]

    def ensure(self, args: ArgsT) -> tuple[str, StateT]:
        """Create or adopt the object; returns its id and state. It is short: a long wait is a resource of its own (`Gate`)."""
        raise NotImplementedError

    def observe(self, id: str, state: StateT) -> StateT | tuple[str, StateT] | None:
        """The object as it is now, arguments included; with its id if the vendor has changed that; None if it is gone. Reads only."""
        raise NotImplementedError

    def sync(self, id: str, state: StateT, args: ArgsT) -> StateT:
        """Change the object to match `args`; also called, with equal args, to finish an `Incomplete` one."""
        raise NotImplementedError

    def remove(self, id: str, state: StateT) -> None:
        """Delete the object and wait until it is gone; succeeds when it already is."""
        raise NotImplementedError

    # The protocol: what the engine calls.

    def configure(self, req: ConfigureRequest) -> None:
        self.config = req.config
        if _is_provider_process():
            sys.tracebacklimit = 0
            engine.exit_with_engine(sys.argv[1] if len(sys.argv) > 1 else "")

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        with _one_line_errors():
            try:
                args = decode(self.Args, news)
            except BadProperties as bad:
                return CheckResult(news, [CheckFailure("", problem) for problem in bad.problems])
            old = (args if _olds == news else decode(self.Args, _olds, lenient=True)) if _olds else None
            unknown = {name for name in self.Args.__struct_fields__ if not is_known(getattr(args, name))}
            is_settled = unknown <= marked(self.Args, KEPT)
            problems = list(self.validate(args, old)) if self.validates_unknown or is_settled else []
            warnings = [found for found in problems if isinstance(found, Problem) and found.is_warning]
            for warning in warnings:
                engine.warn(str(warning))
            return CheckResult(
                encode(args), [CheckFailure("", str(found)) for found in problems if found not in warnings]
            )

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        with _one_line_errors():
            args = decode(self.Args, _news, lenient=True)
            state = decode(self.State, _olds, lenient=True)
            changed = set(self.changed_fields(state, args))
            return DiffResult(
                changes=bool(changed),
                replaces=sorted(changed & marked(self.State, REPLACES)),
                delete_before_replace=self.replaces_by_deleting_first,
            )

    def create(self, props: dict[str, Any]) -> CreateResult:
        with _one_line_errors(), engine.one_step():
            args = decode(self.Args, props)
            id, state = self.ensure(args)
            return CreateResult(id, self._outputs(self._with_kept(state, args)))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        with _one_line_errors():
            before = decode(self.State, props, lenient=True)
            found = self.observe(id_, before)
            if found is None:
                return ReadResult(None, {})
            new_id, state = found if isinstance(found, tuple) else (id_, found)
            if isinstance(before, Adoptable) and id_ in before.existed and new_id != id_:
                before = replace(before, existed=[*before.existed, new_id])
            state = self._with_kept(state, before)
            inputs = {name: value for name, value in encode(state).items() if name in self.Args.__struct_fields__}
            return ReadResult(new_id, self._outputs(state), inputs)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        with _one_line_errors(), engine.one_step():
            args = decode(self.Args, _news)
            state = self.sync(_id, decode(self.State, _olds, lenient=True), args)
            return UpdateResult(self._outputs(self._with_kept(state, args)))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        with _one_line_errors(), engine.one_step():
            state = decode(self.State, _props, lenient=True)
            if isinstance(state, Adoptable) and _id in state.existed:
                engine.note(f"{_id} stays: it existed before this stack, which adopted it")
            else:
                self.remove(_id, state)

    def _with_kept(self, state: StateT, given: Any) -> StateT:
        kept = {name: getattr(given, name) for name in marked(self.Args, KEPT)}
        return replace(state, **kept) if kept else state  # type: ignore[type-var]  # every state is a record

    def _outputs(self, state: StateT) -> dict[str, Any]:
        outputs: dict[str, Any] = encode(state)
        for name in marked(self.State, SECRET) & outputs.keys():
            outputs[name] = pulumi.runtime.rpc.wrap_rpc_secret(outputs[name])
        return outputs


class Gate(Provider[ArgsT, StateT]):
    """Base of the resources that wait for a condition and record the evidence: there is nothing to read back or to delete."""

    def observe(self, id: str, state: StateT) -> StateT | tuple[str, StateT] | None:
        return state

    def remove(self, id: str, state: StateT) -> None:
        pass


_WHOLE_NUMBER = pulumi.Output[int]


class Resource(pulumi.dynamic.Resource, Generic[ArgsT]):
    """Base of all our resources, as a program declares them. Every field of the provider's state is an output.

    A subclass names its provider and the outputs that programs use:

        class Volume(Resource[VolumeArgs], module="fly", name="Volume"):
            provider = VolumeProvider
            region: Output[str]
    """

    if not TYPE_CHECKING:
        __class_getitem__ = _unaliased

    provider: ClassVar[type[Provider[Any, Any]]]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # The SDK evaluates the annotations of each class, in a hundredth of a preview's time. Only whole numbers need it: they arrive
        # as floats.
        cls.__annotations__ = {name: hint for name, hint in cls.__annotations__.items() if hint == _WHOLE_NUMBER}

    def __init__(self, resource_name: str, args: ArgsT, opts: pulumi.ResourceOptions | None = None) -> None:
        state = self.provider.State
        given = {
            name: value.apply(encode) if isinstance(value, pulumi.Output) and holds_records(state, name) else value
            for name, value in encode(args).items()
        }
        properties: dict[str, Any] = {**dict.fromkeys(state.__struct_fields__), **given}
        if secret := sorted(marked(state, SECRET)):
            opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=secret))
        super().__init__(self.provider(), resource_name, properties, opts)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Convert every exception to an `Exception` with a one-line text. For an `Incomplete` object, the engine records the state."""
    try:
        yield
    except Incomplete as incomplete:
        engine.record_incomplete(incomplete.id, encode(incomplete.state), incomplete.reasons)
        raise incomplete from None
    except ProviderError as error:
        raise error from None
    except BadProperties as bad:
        raise ProviderError(str(bad)) from None
    except BaseException as defect:  # noqa: BLE001 (the CLI hangs on a BaseException)
        place = traceback.extract_tb(defect.__traceback__, limit=-1)[0]
        raise DEFECT(
            kind=type(defect).__name__, error=defect, file=place.filename, line=place.lineno, function=place.name
        ) from None


def _is_provider_process() -> bool:
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return spec is not None and spec.name == "pulumi.dynamic.__main__"
