//! What the helpers promise. Never: a rule.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as linli from "./linli.js";

const blank = linli.text("", "");
const age = linli.number("age", 60, 0, 120, blank, blank);
const mode = linli.choice("mode", ["a", "b"], blank, blank);
const kinds = linli.codes("kinds", [], 1, blank, blank);
const set = (key, tag, val) => ({ key, value: { tag, val } });
const meta = linli.describe({ title: blank, summary: blank, settings: [age, mode, kinds] });

test("a setting that is absent or of another kind has its default", () => {
  for (const settings of [[], [set("age", "flag", true)]]) assert.equal(linli.settingsOf({ settings })(age), 60);
  assert.equal(linli.settingsOf({ settings: [set("age", "number", 0)] })(age), 0);
});

test("settings within their bounds pass", () => {
  meta.checkSettings([set("age", "number", 120), set("mode", "choice", "b"), set("kinds", "codes", ["x"])]);
});

test("every bad setting is reported at once", () => {
  const given = [
    set("age", "number", 121), set("mode", "choice", "c"), set("kinds", "codes", ["x", "y"]),
    set("age", "flag", true), set("typo", "flag", true),
  ];
  assert.throws(() => meta.checkSettings(given), (problems) => {
    assert.deepEqual(problems.map((p) => p.why.code), [
      "setting-out-of-range", "setting-not-a-choice", "setting-too-long", "setting-repeated", "setting-unknown",
    ]);
    return true;
  });
});

test("a fact that is missing is a refusal that names it", () => {
  assert.throws(() => linli.ageOf({ ageYears: null }), { tag: "missing-fact", val: "age" });
  assert.equal(linli.ageOf({ ageYears: 0 }), 0);
});
