//! What a rule in JavaScript is written against: declarations of settings, the manifest, reasons, refusals.
//! Never: a rule, a clock or a random source; everything that varies is in the context.

/** A text in zh-CN and en. */
export const text = (zhCn, en) => ({ zhCn, en });

const declare = (key, kind, tag, value, label, help) => ({ key, kind, default: { tag, val: value }, label, help });

/** A whole number with bounds. */
export const number = (key, value, min, max, label, help) =>
  declare(key, { tag: "number", val: [min, max] }, "number", value, label, help);
/** A yes or no. */
export const flag = (key, value, label, help) => declare(key, { tag: "flag" }, "flag", value, label, help);
/** One of several codes; the first is the default. */
export const choice = (key, options, label, help) =>
  declare(key, { tag: "choice", val: options }, "choice", options[0], label, help);
/** A list of at most `most` whole numbers. */
export const numbers = (key, value, most, label, help) =>
  declare(key, { tag: "numbers", val: most }, "numbers", value, label, help);
/** A list of at most `most` codes. */
export const codes = (key, value, most, label, help) =>
  declare(key, { tag: "codes", val: most }, "codes", value, label, help);

/** Reads the settings of a binding: what was set, else the default that the manifest shows. */
export function settingsOf(ctx) {
  return (decl) => answer(ctx.settings, decl.key, decl.default.tag) ?? decl.default.val;
}

/** The value under a key when it is of that kind, such as an answer to an offering's question; else undefined. */
export function answer(list, key, tag) {
  const found = list.find((setting) => setting.key === key);
  return found?.value.tag === tag ? found.value.val : undefined;
}

/** A reason of the manifest's catalogue, with the values of its {0}, {1}... */
export const reason = (code, ...args) => ({ code, args: args.map(String) });
/** A quantity of an asset. */
export const amount = (asset, value) => ({ asset, value });

/** The verdicts of booking-eligibility. */
export const allow = { tag: "allow" };
export const abstain = { tag: "abstain" };
export const deny = (code, ...args) => ({ tag: "deny", val: reason(code, ...args) });
export const needsApproval = (code, ...args) => ({ tag: "needs-approval", val: reason(code, ...args) });

/** The refusals: `throw missingFact("age")`. */
export const missingFact = (code) => ({ tag: "missing-fact", val: code });
export const badSettings = (code) => ({ tag: "bad-settings", val: code });
export const unsupported = (code) => ({ tag: "unsupported", val: code });

/** The age in years; refuses where it is not known. */
export function ageOf(who) {
  if (who.ageYears == null) throw missingFact("age");
  return who.ageYears;
}
/** The usage; refuses where it is not known. */
export function usageOf(used) {
  if (used == null) throw missingFact("usage");
  return used;
}
export const hasTag = (who, tag) => who.tags.includes(tag);
export const hasRole = (who, role) => who.roles.includes(role);

const CHECKS = {
  "setting-unknown": text("没有名为“{0}”的设置", "There is no setting named {0}"),
  "setting-repeated": text("设置“{0}”重复", "Setting {0} is given twice"),
  "setting-wrong-kind": text("设置“{0}”的类型不对", "Setting {0} is of another kind"),
  "setting-out-of-range": text("设置“{0}”应在 {1} 到 {2} 之间", "Setting {0} must be from {1} to {2}"),
  "setting-not-a-choice": text("设置“{0}”没有“{1}”这个选项", "Setting {0} has no option {1}"),
  "setting-too-long": text("设置“{0}”最多 {1} 项", "Setting {0} takes at most {1} entries"),
};

/**
 * The interface `meta`: `export const meta = describe({...})`. `check` may refuse settings that are each in range and
 * still make no sense together: it returns a list of `[key, reason]`.
 */
export function describe({ title, summary, facts = [], settings = [], messages = {}, check = () => [] }) {
  const catalogue = Object.entries({ ...CHECKS, ...messages }).map(([code, text]) => ({ code, text }));
  return {
    describe: () => ({ title, summary, facts, settings, messages: catalogue }),
    checkSettings(given) {
      let problems = given.flatMap((setting, at) => {
        const why = problem(settings, given, setting, at);
        return why ? [{ key: setting.key, why }] : [];
      });
      if (problems.length === 0) {
        problems = check(settingsOf({ settings: given })).map(([key, why]) => ({ key, why }));
      }
      if (problems.length > 0) throw problems;
    },
  };
}

function problem(declared, given, { key, value }, at) {
  const decl = declared.find((decl) => decl.key === key);
  if (!decl) return reason("setting-unknown", key);
  if (given.findIndex((setting) => setting.key === key) < at) return reason("setting-repeated", key);
  const { tag, val: bound } = decl.kind;
  if (value.tag !== tag) return reason("setting-wrong-kind", key);
  if (tag === "number" && (value.val < bound[0] || value.val > bound[1])) {
    return reason("setting-out-of-range", key, ...bound);
  }
  if (tag === "choice" && !bound.includes(value.val)) return reason("setting-not-a-choice", key, value.val);
  if ((tag === "numbers" || tag === "codes") && value.val.length > bound) return reason("setting-too-long", key, bound);
  return undefined;
}
