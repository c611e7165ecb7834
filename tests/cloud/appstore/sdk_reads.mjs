// Reads what a launch made with appstore-connect-sdk, and checks each answer with that package's own validators.
// Arguments: the folder with node_modules, the address of the double, key ID, issuer ID, path of the private key. Prints JSON: the
// result of each operation.
import { readFileSync } from "node:fs";

const [modules, baseUrl, privateKeyId, issuerId, keyPath] = process.argv.slice(2);
const sdk = await import(`${modules}/appstore-connect-sdk/dist/main.js`);
const client = sdk.createClient({ baseUrl, privateKeyId, issuerId, privateKey: readFileSync(keyPath, "utf8"), expirationDuration: 900 });
const results = {};
// Apple's dates have offsets, and codemagic-cli-tools relies on these nulls.
const nulls = ["contentRightsDeclaration", "iconAssetToken", "platform", "publicLink", "publicLinkId", "publicLinkLimit", "usesNonExemptEncryption"];
const tolerated = [
  (issue) => issue.code === "invalid_format" && issue.format === "datetime",
  (issue) => nulls.includes(issue.path?.at(-1)),
];

async function read(operation, options = {}) {
  const { data, error } = await sdk[operation]({ client, ...options });
  const name = `z${operation[0].toUpperCase()}${operation.slice(1)}Response`;
  const issues = error ? [error] : (sdk[name].safeParse(data).error?.issues ?? []);
  const wrong = issues.filter((issue) => !tolerated.some((each) => each(issue)));
  results[operation] = wrong.length ? JSON.stringify(wrong.slice(0, 5)) : "ok";
  return data?.data;
}

const collections = ["apps", "betaGroups", "betaTesters", "builds", "bundleIds", "certificates", "profiles", "users"];
const first = {};
for (const each of [...collections, "preReleaseVersions", "betaAppLocalizations", "betaBuildLocalizations"]) {
  first[each] = (await read(`${each}GetCollection`))?.[0];
}
for (const each of ["apps", "betaGroups", "betaTesters", "builds", "bundleIds"]) {
  await read(`${each}GetInstance`, { path: { id: first[each].id } });
}
await read("buildsBuildBetaDetailGetToOneRelated", { path: { id: first.builds.id } });
await read("appsBuildUploadsGetToManyRelated", { path: { id: first.apps.id } });
console.log(JSON.stringify(results));
