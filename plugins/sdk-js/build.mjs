//! Builds the rule in the current directory (rule.ts or rule.js) to dist/rule.wasm: one script, dist/rule.js, then a QuickJS component.
//! Never: installs packages, or leaves an import of the host; what the engine would ask of it traps.
import { existsSync, mkdirSync, rmSync, writeFileSync, copyFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { componentize } from "componentize-qjs";

const WORLDS = {
  bookingEligibility: "eligibility-rule",
  bookingPrice: "price-rule",
  bookingPriority: "priority-rule",
  pointsAward: "award-rule",
  deliberationTrack: "track-rule",
  deliberationThresholds: "thresholds-rule",
};
// A script engine that is frozen at build time would answer these with what held then: better no answer at all.
const NO_CHANCE =
  'Math.random=()=>{throw new Error("no chance in a rule: use ctx.seed")};delete globalThis.Date;';

const entry = ["rule.ts", "rule.js"].find((file) => existsSync(file));
if (!entry) fail("there is no rule.ts and no rule.js here");

const bundle = await build({
  entryPoints: [entry], bundle: true, format: "esm", target: "es2022", charset: "utf8", platform: "neutral",
  minifySyntax: true, minifyWhitespace: true, metafile: true, write: false, outfile: "dist/rule.js",
  banner: { js: NO_CHANCE }, logLevel: "warning",
}).catch(() => process.exit(1)); // esbuild has told what is wrong

const exported = Object.values(bundle.metafile.outputs)[0].exports;
const hooks = exported.filter((name) => name in WORLDS);
if (!exported.includes("meta")) fail(`${entry} does not export meta: export const meta = describe({...})`);
if (hooks.length === 0) fail(`${entry} exports no hook; the hooks are ${Object.keys(WORLDS).join(", ")}`);

rmSync("dist", { recursive: true, force: true });
mkdirSync("dist/wit/deps/rules", { recursive: true });
copyFileSync(fileURLToPath(new URL("../wit/rules.wit", import.meta.url)), "dist/wit/deps/rules/rules.wit");
const includes = hooks.map((hook) => `include linli:rules/${WORLDS[hook]}@1.0.0;`).join(" ");
writeFileSync("dist/wit/rule.wit", `package linli:build;\nworld rule { ${includes} }\n`);

const { component } = await componentize({
  witPath: "dist/wit", world: "rule", jsSource: bundle.outputFiles[0].text,
  // The engine optimised for size makes tail calls, which the host refuses.
  sync: true, optSize: false, stubWasi: true, disableGc: true,
});
writeFileSync("dist/rule.wasm", component);
// For `linli plugin test`, which has Node.js say what the script threw: the component only traps.
writeFileSync("dist/rule.js", bundle.outputFiles[0].text);

function fail(why) {
  console.error(why);
  process.exit(1);
}
