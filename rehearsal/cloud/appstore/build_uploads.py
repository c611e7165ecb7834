"""Build uploads and their files: reserved, sent in parts to the storage, committed, processed.

The size of a part and the lifetime of its URL are not documented by Apple, so they can be set.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.cloud.appstore import inspection, processing, refusals, storage
from rehearsal.cloud.appstore.builds import ordering
from rehearsal.cloud.appstore.kinds import Accepts, Kind, Records, Relation, date
from rehearsal.cloud.store import Document

PART_BYTES = 5 << 20
UTIS = (
    "com.apple.ipa",
    "com.apple.pkg",
    "com.pkware.zip-archive",
    "com.apple.binary-property-list",
    "com.apple.xml-property-list",
)
ASSET_TYPES = {"assetFile": "ASSET", "assetDescriptionFile": "ASSET_DESCRIPTION", "assetSpiFile": "ASSET_SPI"}


class BuildUploads(Kind):
    type = "buildUploads"
    operations = ("CREATE", "DELETE", "GET_INSTANCE")
    attributes: ClassVar[Mapping[str, Any]] = {
        "cfBundleShortVersionString": None,
        "cfBundleVersion": None,
        "createdDate": None,
        "state": None,
        "platform": None,
        "uploadedDate": None,
    }
    required: ClassVar[Mapping[str, Accepts]] = {
        "cfBundleShortVersionString": str,
        "cfBundleVersion": str,
        "platform": ("IOS", "MAC_OS", "TV_OS", "VISION_OS"),
    }
    relations: ClassVar[Mapping[str, Relation]] = {
        "app": Relation(target="apps", create=True, required=True, linkage=(), related=False),
        "build": Relation(target="builds", inverse="buildUpload", data_only=True),
        "assetFile": Relation(target="buildUploadFiles", data_only=True),
        "assetDescriptionFile": Relation(target="buildUploadFiles", data_only=True),
        "assetSpiFile": Relation(target="buildUploadFiles", data_only=True),
        "buildUploadFiles": Relation(target="buildUploadFiles", many=True, inverse="buildUpload"),
    }
    filters = ("cfBundleShortVersionString", "cfBundleVersion", "platform", "state")
    sorts = ("cfBundleVersion", "uploadedDate")
    includes = ("build", "assetFile", "assetDescriptionFile", "assetSpiFile")

    def create(self, attributes: Document, links: Document) -> Document:
        for name in ("cfBundleShortVersionString", "cfBundleVersion"):
            if not inspection.is_number(name, attributes[name]):
                raise refusals.attribute_invalid(
                    name, f"'{attributes[name]}' is not a valid value for the attribute '{name}'"
                )
        highest = highest_used(self.records, links["app"], attributes)
        if highest and ordering(attributes["cfBundleVersion"]) <= ordering(highest):
            raise refusals.refuse(
                409,
                "ENTITY_ERROR.ATTRIBUTE.INVALID.DUPLICATE",
                "The provided entity includes an attribute with a value that has already been used",
                f"The bundle version must be higher than the previously uploaded version: '{highest}'",
                pointer="/data/attributes/cfBundleVersion",
            )
        return super().create(attributes, links)

    def delete(self, record: Document) -> None:
        for file in self.records.all("buildUploadFiles", buildUpload=record["id"]):
            storage.discard(self.context, file)
            self.records.delete(file)
        super().delete(record)

    def shown(self, record: Document) -> Document:
        state: Document = {"state": upload_state(self.records, record), "errors": [], "warnings": [], "infos": []}
        if state["state"] == "FAILED":
            state["errors"] = record["errors"]
        if state["state"] in ("FAILED", "COMPLETE"):
            state["warnings"] = record.get("warnings", [])
        uploaded = record.get("committed_at")
        return {
            **super().shown(record),
            "createdDate": date(record["made"]),
            "uploadedDate": date(uploaded) if uploaded else None,
            "state": state,
        }

    def related(self, record: Document, relation: str) -> list[Document]:
        if relation in ASSET_TYPES:
            files = self.records.all("buildUploadFiles", buildUpload=record["id"])
            return [file for file in files if file["attributes"]["assetType"] == ASSET_TYPES[relation]][-1:]
        if relation == "build" and upload_state(self.records, record) == "AWAITING_UPLOAD":
            return []
        return super().related(record, relation)


def upload_state(records: Records, upload: Document) -> str:
    """The current `state.state`."""
    committed = upload.get("committed_at")
    if committed is None or records.context.clock.now() < committed + records.context.delays.upload_recorded:
        return "AWAITING_UPLOAD"
    if records.context.clock.now() < committed + records.context.delays.upload_processing:
        return "PROCESSING"
    return "FAILED" if upload["errors"] else "COMPLETE"


def highest_used(records: Records, app: str, attributes: Document) -> str | None:
    """The highest build number of a version that an upload has used up. A rejected or deleted upload used its number up as well
    (https://github.com/fastlane/fastlane/issues/6207)."""
    numbers = [
        used["cfBundleVersion"]
        for used in records.context.store.all("appstore.usedNumbers", app=app, platform=attributes["platform"])
        if ordering(used["cfBundleShortVersionString"]) == ordering(attributes["cfBundleShortVersionString"])
    ]
    return max(numbers, key=ordering, default=None)


class BuildUploadFiles(Kind):
    type = "buildUploadFiles"
    operations = ("CREATE", "GET_INSTANCE", "UPDATE")
    attributes: ClassVar[Mapping[str, Any]] = {
        "assetDeliveryState": None,
        "assetToken": None,
        "assetType": None,
        "fileName": None,
        "fileSize": None,
        "sourceFileChecksums": None,
        "uploadOperations": None,
        "uti": None,
    }
    required: ClassVar[Mapping[str, Accepts]] = {
        "assetType": tuple(ASSET_TYPES.values()),
        "fileName": str,
        "fileSize": int,
        "uti": UTIS,
    }
    updatable: ClassVar[Mapping[str, Accepts]] = {"uploaded": bool, "sourceFileChecksums": dict}
    relations: ClassVar[Mapping[str, Relation]] = {
        "buildUpload": Relation(target="buildUploads", create=True, required=True, linkage=(), related=False)
    }

    def create(self, attributes: Document, links: Document) -> Document:
        upload = self.records.get("buildUploads", links["buildUpload"])
        assert upload
        if attributes["fileSize"] < 1:
            raise refusals.attribute_invalid("fileSize", "The file is empty.")
        if "committed_at" in upload:
            raise refusals.state("The build upload has been completed.")
        return self.records.new(
            self.type, attributes, links, part_bytes=processing.limits(self.context).get("part_bytes", PART_BYTES)
        )

    def update(self, record: Document, attributes: Document) -> None:
        if attributes.get("sourceFileChecksums"):
            # whatever the value is, and only now, after all bytes were sent
            raise refusals.attribute_invalid(
                "sourceFileChecksums",
                f"'Checksums{attributes['sourceFileChecksums']}' is not a valid value for the attribute 'sourceFileChecksums'",
            )
        upload = self.records.get("buildUploads", record["links"]["buildUpload"])
        assert upload
        if not attributes.get("uploaded") or "committed_at" in upload:
            return
        if missing := [part.number for part in storage.parts(record) if not storage.has(self.context, record, part)]:
            raise refusals.state(f"The parts {missing} have not been uploaded.")
        record["committed"] = True
        self.records.save(record)
        if record["attributes"]["assetType"] == "ASSET":
            highest = highest_used(self.records, upload["links"]["app"], upload["attributes"])
            taken = highest is not None and ordering(upload["attributes"]["cfBundleVersion"]) <= ordering(highest)
            numbers = {**upload["attributes"], "app": upload["links"]["app"]}
            self.context.store.put("appstore.usedNumbers", upload["id"], numbers)
            processing.process(self.records, upload, storage.content(self.context, record["id"]), taken=taken)

    def shown(self, record: Document) -> Document:
        committed = record.get("committed", False)
        return {
            **super().shown(record),
            "assetDeliveryState": {
                "state": "UPLOAD_COMPLETE" if committed else "AWAITING_UPLOAD",
                "errors": [],
                "warnings": [],
            },
            "assetToken": record["id"],
            "uploadOperations": None if committed else storage.operations(self.context, record),
        }
