"""The base of the components: type token, options, and which children are protected."""

from typing import Any

import pulumi


class Component(pulumi.ComponentResource):
    """A component of type `<project>:index:<class>`. `opts` are those of any Pulumi resource; children inherit its providers.

    With `protect` in `opts`, Pulumi neither deletes nor replaces the children, down to the last one. The exception are children
    that an ordinary update replaces (`replaceable_opts`): those are either evidence, which can be collected again, or a protected
    resource depends on them, so that they are deleted only after it.
    """

    name: str
    """Prefix of the children's names, so that one program can contain several components of the same type."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__annotations__ = {}  # The SDK would evaluate them, as those of outputs.

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"{pulumi.get_project()}:index:{type(self).__name__}", name, None, opts)
        self.name = name

    @property
    def is_protected(self) -> bool:
        """Whether this component, or its parent, is declared with `protect`."""
        return bool(self._protect)

    def child_opts(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        """Options of a child that is created after the resources `after`, and protected if this component is."""
        return pulumi.ResourceOptions(parent=self, depends_on=list(after))  # `protect` comes from the parent.

    def replaceable_opts(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        """The same for a child that is never protected, because an ordinary update replaces it."""
        return pulumi.ResourceOptions(parent=self, depends_on=list(after), protect=False)
