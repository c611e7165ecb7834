"""The base of the components: type token, options, and which children are protected."""

import pulumi


class Component(pulumi.ComponentResource):
    """A component of type `solos:index:<class>`. `opts` are those of any Pulumi resource; children inherit its providers.

    `protect` in `opts` is meant for what cannot be recreated: data, names, keys. Children declared with `protected_opts` inherit
    it. All others are unprotected, because an update has to be able to replace them.
    """

    name: str
    """Prefix of the children's names, so that one program can contain several components of the same type."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"solos:index:{type(self).__name__}", name, None, opts)
        self.name = name

    @property
    def is_protected(self) -> bool:
        """Whether this component, or its parent, is declared with `protect`."""
        return bool(self._protect)

    def child_opts(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        """Options of a child that is created after the resources `after`."""
        return pulumi.ResourceOptions(parent=self, depends_on=list(after), protect=False)

    def protected_opts(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        """Like `child_opts`, for a child that is protected if this component is."""
        return pulumi.ResourceOptions(parent=self, depends_on=list(after))  # `protect` comes from the parent.
