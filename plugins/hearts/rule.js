// @ts-check
//! M31 爱心续航卡 (金埠街): one heart for each act of help. That twelve hearts make a full card is the card type's business.
//! Never: more than one heart per act, however long it took.
import { amount, codes, describe, reason, settingsOf, text } from "../sdk-js/linli.js";

const kinds = codes(
  "kinds", ["shift-completed"], 32,
  text("事件类型", "Event kinds"), text("哪些事件算一件好事。", "Events that count as an act of help."),
);

export const meta = describe({
  title: text("爱心续航卡", "Heart card"),
  summary: text("一件好事一颗心，满十二颗兑换。", "A heart for each act; twelve fill the card."),
  settings: [kinds],
  messages: { "one-heart": text("感谢您做的好事", "Thanks for an act of help") },
});

/** @type {import("../sdk-js/linli.js").PointsAward} */
export const pointsAward = {
  grant(ctx, { actor, event, caps }) {
    const settings = settingsOf(ctx);
    const served = event.role === "volunteer" && settings(kinds).includes(event.kind);
    const cap = caps.find((cap) => cap.asset === "hearts")?.value ?? 0;
    if (!served || cap < 1) return [];
    return [{ to: actor.handle, amount: amount("hearts", 1), why: reason("one-heart") }];
  },
};
