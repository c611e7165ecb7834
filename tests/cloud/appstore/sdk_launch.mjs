// Does what a launch does with appstore-connect-sdk, and checks each answer with that package's own validators.
// Arguments: the folder with node_modules, the address of the double, key ID, issuer ID, and the paths of the private key, of a signing
// request, and of an IPA with build number 0.1. Prints JSON: the result of each operation, and the names of what it sees.
import { readFileSync } from "node:fs";

const [modules, baseUrl, privateKeyId, issuerId, keyPath, csrPath, ipaPath] = process.argv.slice(2);
const sdk = await import(`${modules}/appstore-connect-sdk/dist/main.js`);
const client = sdk.createClient({ baseUrl, privateKeyId, issuerId, privateKey: readFileSync(keyPath, "utf8"), expirationDuration: 900 });
const results = {};
// Apple's dates have offsets, and codemagic-cli-tools relies on these nulls.
const nulls = ["contentRightsDeclaration", "iconAssetToken", "platform", "publicLink", "publicLinkId", "publicLinkLimit", "settings", "usesNonExemptEncryption"];
const tolerated = [
  (issue) => issue.code === "invalid_format" && issue.format === "datetime",
  (issue) => nulls.includes(issue.path?.at(-1)),
];

async function call(operation, options = {}) {
  const { data, error } = await sdk[operation]({ client, ...options });
  const validator = sdk[`z${operation[0].toUpperCase()}${operation.slice(1)}Response`];
  const issues = error ? [error] : data && validator ? (validator.safeParse(data).error?.issues ?? []) : [];
  const wrong = issues.filter((issue) => !tolerated.some((each) => each(issue)));
  if (results[operation] === undefined || results[operation] === "ok") {
    results[operation] = wrong.length ? JSON.stringify(wrong.slice(0, 5)) : "ok";
  }
  return data?.data;
}

const refer = ({ type, id }) => ({ type, id });

function create(type, attributes, links = {}) {
  const relationships = Object.fromEntries(Object.entries(links).map(([name, to]) => [name, { data: Array.isArray(to) ? to.map(refer) : refer(to) }]));
  return call(`${type}CreateInstance`, { body: { data: { type, attributes, ...(Object.keys(links).length && { relationships }) } } });
}

function update({ type, id }, attributes) {
  return call(`${type}UpdateInstance`, { path: { id }, body: { data: { type, id, attributes } } });
}

function remove({ type, id }) {
  return call(`${type}DeleteInstance`, { path: { id } });
}

// What is there.
const first = {};
const collections = ["apps", "betaGroups", "betaTesters", "builds", "bundleIds", "certificates", "profiles", "users", "preReleaseVersions"];
for (const each of [...collections, "betaAppLocalizations", "betaBuildLocalizations"]) {
  first[each] = (await call(`${each}GetCollection`))?.[0];
}
for (const each of ["apps", "betaGroups", "betaTesters", "builds", "bundleIds"]) {
  await call(`${each}GetInstance`, { path: { id: first[each].id } });
}
await call("buildsBuildBetaDetailGetToOneRelated", { path: { id: first.builds.id } });
await call("appsBuildUploadsGetToManyRelated", { path: { id: first.apps.id } });
const app = first.apps;

// What a build is signed with.
const bundleId = await create("bundleIds", { identifier: "com.example.sdk", name: "Sdk", platform: "IOS" });
await update(bundleId, { name: "Sdk app" });
const capability = await create("bundleIdCapabilities", { capabilityType: "PUSH_NOTIFICATIONS" }, { bundleId });
await call("bundleIdsBundleIdCapabilitiesGetToManyRelated", { path: { id: bundleId.id } });
const csrContent = readFileSync(csrPath, "utf8");
const certificate = await create("certificates", { certificateType: "DISTRIBUTION", csrContent });
await call("certificatesGetInstance", { path: { id: certificate.id } });
const profile = await create("profiles", { name: "Sdk", profileType: "IOS_APP_STORE" }, { bundleId, certificates: [certificate] });
await call("profilesGetInstance", { path: { id: profile.id } });

// The testers.
const information = await create("betaAppLocalizations", { locale: "fr-FR", feedbackEmail: "sdk@sollabs.example" }, { app });
await update(information, { description: "Essayez." });
const invitation = await create("userInvitations", {
  email: "sdk@sollabs.example", firstName: "Sol", lastName: "Dk", roles: ["DEVELOPER"], allAppsVisible: true,
});
await call("userInvitationsGetCollection");
const group = await create("betaGroups", { name: "Sdk testers", isInternalGroup: true, hasAccessToAllBuilds: false }, { app });
await update(group, { feedbackEnabled: false });
const about = { email: "outside@sollabs.example", firstName: "Out", lastName: "Side" };
const outside = await create("betaGroups", { name: "Outside" }, { app });
const tester = await create("betaTesters", about, { betaGroups: [outside] });
await call("betaGroupsBetaTestersGetToManyRelated", { path: { id: outside.id } });
await call("betaGroupsBetaTestersDeleteToManyRelationship", { path: { id: outside.id }, body: { data: [refer(tester)] } });

// A build.
const ipa = readFileSync(ipaPath);
const numbers = { cfBundleShortVersionString: "1.0.0", cfBundleVersion: "0.1", platform: "IOS" };
const upload = await create("buildUploads", numbers, { app });
const described = { assetType: "ASSET", fileName: "sdk.ipa", fileSize: ipa.length, uti: "com.apple.ipa" };
const file = await create("buildUploadFiles", described, { buildUpload: upload });
for (const { method, url, offset, length, requestHeaders } of file.attributes.uploadOperations) {
  const headers = Object.fromEntries(requestHeaders.map(({ name, value }) => [name, value]));
  const stored = await fetch(url, { method, headers, body: ipa.subarray(offset, offset + length) });
  if (!stored.ok) results.store = await stored.text();
}
await update(file, { uploaded: true });
await call("buildUploadFilesGetInstance", { path: { id: file.id } });
await call("buildUploadsGetInstance", { path: { id: upload.id } });
const [build] = await call("buildsGetCollection", { query: { "filter[app]": [app.id], "filter[version]": ["0.1"], include: ["buildBetaDetail", "preReleaseVersion"] } });
await update(build, { usesNonExemptEncryption: false });
const detail = await call("buildsBuildBetaDetailGetToOneRelated", { path: { id: build.id } });
await update(detail, { autoNotifyEnabled: true });
const text = await create("betaBuildLocalizations", { locale: "fr-FR", whatsNew: "Bonjour." }, { build });
await update(text, { whatsNew: "Bonsoir." });
await call("buildsBetaGroupsCreateToManyRelationship", { path: { id: build.id }, body: { data: [refer(group)] } });
await call("buildsGetCollection", { query: { "filter[betaGroups]": [group.id] } });
await call("buildsBetaGroupsDeleteToManyRelationship", { path: { id: build.id }, body: { data: [refer(group)] } });
await update(build, { expired: true });

// What it leaves: a bundle ID, a group, a build. What it removes again: everything else.
for (const each of [text, information, invitation, outside, profile, capability, certificate]) await remove(each);
const seen = {
  bundleIds: (await call("bundleIdsGetCollection")).map(({ attributes }) => attributes.identifier),
  groups: (await call("betaGroupsGetCollection")).map(({ attributes }) => attributes.name),
  builds: (await call("buildsGetCollection")).map(({ attributes }) => attributes.version),
};
console.log(JSON.stringify({ results, seen }));
