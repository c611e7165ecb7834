"""The API: JSON:API over the declared types, with Apple's authentication, agreements and rate limit.

Paths: `/v1/{type}`, `/v1/{type}/{id}`, `/v1/{type}/{id}/{relationship}`, `/v1/{type}/{id}/relationships/{relationship}`.
"""

from collections.abc import Iterable
from typing import Any, ClassVar
from urllib.parse import urlencode

from werkzeug.wrappers import Request

from rehearsal.cloud.appstore import auth, query, refusals, requests
from rehearsal.cloud.appstore.kinds import Kind, Records, Relation
from rehearsal.cloud.appstore.metrics import Metrics
from rehearsal.cloud.appstore.query import Query
from rehearsal.cloud.context import Context
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.service import http_date, route
from rehearsal.cloud.store import Document


class AppStoreApi(Metrics):
    name: ClassVar[str] = "appstore"

    def __init__(self, context: Context, records: Records) -> None:
        super().__init__(context)
        self.records = records
        self.hourly_limit = auth.HourlyLimit(context)

    # What applies to every call.

    def admit(self, request: Request) -> None:
        key = auth.authenticate(self.context, request)
        request.environ["appstore.key"] = key["key_id"]
        if not agreements_in_effect(self.context):
            raise refusals.agreement_missing()
        self.hourly_limit.count(key["key_id"])
        type = request.path.split("/")[2] if request.path.startswith("/v1/") else ""
        if type in self.records.kinds:
            kind = self.records.kinds[type]
            auth.authorize(self.context, key, type, request.method, provisioning=kind.provisioning)

    def not_found(self, request: Request) -> Any:
        response = refusals.no_such_path()
        return response.body, response.status, {}

    def throttled(self, request: Request) -> Any:
        response = refusals.rate_limit_exceeded()
        return response.body, response.status, {}

    def failed(self, request: Request, fault: Fault) -> Any:
        code = "NOT_AUTHORIZED" if fault.status == 401 else "UNEXPECTED_ERROR"
        return refusals.refuse(fault.status, code, "Could not process this request").body, fault.status, {}

    def common_headers(self, request: Request) -> dict[str, str]:
        key = request.environ.get("appstore.key")
        rate = {"X-Rate-Limit": self.hourly_limit.header(key)} if key else {}
        return {"Date": http_date(int(self.context.clock.now())), **rate}

    # Resources.

    @route("GET", "/v1/<type>")
    def list_resources(self, request: Request, type: str) -> Any:
        kind = self._kind(type, "GET_COLLECTION")
        checked = query.parse(request, self.records, kind, many=True)
        return self._list(request, checked, self.records.all(type))

    @route("POST", "/v1/<type>")
    def create_resource(self, request: Request, type: str) -> Any:
        query.refuse(request)
        kind = self._kind(type, "CREATE")
        attributes, links = requests.creation(self.records, kind, request)
        with self.store.transaction():
            record = kind.create(attributes, links)
            return self._single(request, Query(), record), 201, {}

    @route("GET", "/v1/<type>/<id>")
    def read_resource(self, request: Request, type: str, id: str) -> Any:
        kind = self._kind(type, "GET_INSTANCE")
        checked = query.parse(request, self.records, kind, many=False)
        return self._single(request, checked, self._record(type, id))

    @route("PATCH", "/v1/<type>/<id>")
    def update_resource(self, request: Request, type: str, id: str) -> Any:
        query.refuse(request)
        kind = self._kind(type, "UPDATE")
        with self.store.transaction():
            record = self._record(type, id)
            kind.update(record, requests.change(kind, request, id))
            return self._single(request, Query(), self._record(type, id))

    @route("DELETE", "/v1/<type>/<id>")
    def delete_resource(self, request: Request, type: str, id: str) -> Any:
        query.refuse(request)
        kind = self._kind(type, "DELETE")
        with self.store.transaction():
            kind.delete(self._record(type, id))
        return None, 204, {}

    # Relationships.

    @route("GET", "/v1/<type>/<id>/<name>")
    def read_related(self, request: Request, type: str, id: str, name: str) -> Any:
        relation = self._relation(type, name)
        if not relation.related or relation.data_only:
            raise refusals.no_such_path()
        target = self.records.kinds[relation.target]
        checked = query.parse(request, self.records, target, many=relation.many, full=relation.queryable)
        found = self.records.kinds[type].related(self._record(type, id), name)
        if relation.many:
            return self._list(request, checked, found)
        return self._single(request, checked, found[0] if found else None)

    @route("GET", "/v1/<type>/<id>/relationships/<name>")
    def read_linkage(self, request: Request, type: str, id: str, name: str) -> Any:
        relation = self._linkage(type, name, "GET")
        target = self.records.kinds[relation.target]
        checked = query.parse(request, self.records, target, many=relation.many, full=False)
        found = self.records.kinds[type].related(self._record(type, id), name)
        if not relation.many:
            return {"data": _linkage(found)[0] if found else None, "links": {"self": request.url}}
        page, following, total = query.select(checked, self.records, found)
        return {"data": _linkage(page), **_paging(request, checked, following, total)}

    @route("POST", "/v1/<type>/<id>/relationships/<name>")
    def add_linkage(self, request: Request, type: str, id: str, name: str) -> Any:
        query.refuse(request)
        relation = self._linkage(type, name, "POST")
        with self.store.transaction():
            record = self._record(type, id)
            targets = requests.linkage(self.records, relation, request)
            self.records.kinds[type].link(record, name, targets)
        return None, 204, {}

    @route("DELETE", "/v1/<type>/<id>/relationships/<name>")
    def remove_linkage(self, request: Request, type: str, id: str, name: str) -> Any:
        query.refuse(request)
        relation = self._linkage(type, name, "DELETE")
        with self.store.transaction():
            record = self._record(type, id)
            targets = requests.linkage(self.records, relation, request)
            self.records.kinds[type].unlink(record, name, {target["id"] for target in targets})
        return None, 204, {}

    # Responses.

    def _kind(self, type: str, operation: str) -> Kind:
        kind = self.records.kinds.get(type)
        if kind is None:
            raise refusals.no_such_path()
        if operation not in kind.operations:
            raise refusals.operation_not_allowed(type, operation, list(kind.operations))
        return kind

    def _record(self, type: str, id: str) -> Document:
        record = self.records.get(type, id)
        if record is None:
            raise refusals.no_such_resource(type, id)
        return record

    def _relation(self, type: str, name: str) -> Relation:
        kind = self.records.kinds.get(type)
        if kind is None or name not in kind.relations or not kind.relations[name].served:
            raise refusals.no_such_path()
        return kind.relations[name]

    def _linkage(self, type: str, name: str, method: str) -> Relation:
        relation = self._relation(type, name)
        if method not in relation.linkage or relation.data_only:
            raise refusals.no_such_path()
        return relation

    def _single(self, request: Request, checked: Query, record: Document | None) -> Document:
        document: Document = {
            "data": self._resource(request, checked, record) if record else None,
            "links": {"self": request.url},
        }
        return document | self._included(request, checked, [record] if record else [])

    def _list(self, request: Request, checked: Query, found: list[Document]) -> Document:
        page, following, total = query.select(checked, self.records, found)
        return {
            "data": [self._resource(request, checked, record) for record in page],
            **self._included(request, checked, page),
            **_paging(request, checked, following, total),
        }

    def _included(self, request: Request, checked: Query, records: Iterable[Document]) -> Document:
        if not checked.include:
            return {}
        found = {
            (target["type"], target["id"]): target
            for record in records
            for name in checked.include
            for target in self._ends(checked, record, name)
        }
        return {
            "included": [self._resource(request, Query(fields=checked.fields), resource) for resource in found.values()]
        }

    def _ends(self, checked: Query, record: Document, name: str) -> list[Document]:
        found = self.records.kinds[record["type"]].related(record, name)
        return found[: checked.related_limits.get(name, query.RELATED)]

    def _resource(self, request: Request, checked: Query, record: Document) -> Document:
        kind = self.records.kinds[record["type"]]
        fields = checked.fields.get(kind.type)
        address = f"{request.host_url}v1/{kind.type}/{record['id']}"
        relationships = {
            name: shown
            for name, relation in kind.relations.items()
            if fields is None or name in fields
            if (shown := self._relationship(address, checked, record, name, relation))
        }
        attributes = {
            name: value
            for name, value in kind.shown(record).items()
            if (fields is None or name in fields) and (value is not None or name in kind.nulls)
        }
        resource: Document = {"type": kind.type, "id": record["id"]}
        if attributes:
            resource["attributes"] = attributes
        if relationships:
            resource["relationships"] = relationships
        return {**resource, "links": {"self": address}}

    def _relationship(self, address: str, checked: Query, record: Document, name: str, relation: Relation) -> Document:
        shown: Document = {}
        if not (relation.data_only or relation.linkage or relation.related):
            return shown  # can be set on creation, but is not returned
        if not relation.data_only:
            shown["links"] = {"self": f"{address}/relationships/{name}", "related": f"{address}/{name}"}
        if relation.data_only or name in checked.include:
            ends = self._ends(checked, record, name)
            if relation.many:
                total = len(self.records.kinds[record["type"]].related(record, name))
                limit = checked.related_limits.get(name, query.RELATED)
                shown |= {"meta": {"paging": {"total": total, "limit": limit}}, "data": _linkage(ends)}
            elif ends or not relation.data_only:
                shown["data"] = _linkage(ends)[0] if ends else None
        return shown


def agreements_in_effect(context: Context) -> bool:
    return bool((context.store.get("appstore.settings", "agreements") or {"in_effect": True})["in_effect"])


def _linkage(records: Iterable[Document]) -> list[Document]:
    return [{"type": record["type"], "id": record["id"]} for record in records]


def _paging(request: Request, checked: Query, following: str | None, total: int) -> Document:
    paging: Document = {"total": total, "limit": checked.limit}
    links = {"self": request.url}
    if following:
        paging["nextCursor"] = following
        kept = {name: value for name, value in request.args.items() if name not in ("cursor", "limit")}
        links["next"] = f"{request.base_url}?{urlencode({**kept, 'cursor': following, 'limit': checked.limit})}"
    return {"links": links, "meta": {"paging": paging}}
