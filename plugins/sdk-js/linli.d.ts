// The types of plugins/wit/rules.wit (linli:rules@1.0.0) as a script sees them, and of linli.js. Never: code.

export type Code = string;
/** Minutes since the Unix epoch, UTC. */
export type Minute = number;
export interface Text { zhCn: string; en: string }
export interface Amount { asset: Code; value: number }
export interface Member {
  handle: number; ageYears: number | null; standing: Code | null; joined: Minute | null; roles: Code[]; tags: Code[];
}
export interface Usage { open: number; thisWeek: number; thisMonth: number; noShows: number }
export interface Slot {
  offering: Code; kind: Code; starts: Minute; lengthMin: number; capacity: number; taken: number; tags: Code[];
}
export type SettingValue =
  | { tag: "flag"; val: boolean } | { tag: "number"; val: number } | { tag: "choice"; val: Code }
  | { tag: "numbers"; val: number[] } | { tag: "codes"; val: Code[] };
export interface Setting { key: Code; value: SettingValue }
export interface Context { now: Minute; utcOffsetMin: number; seed: number; settings: Setting[] }
export interface Reason { code: Code; args: string[] }
export type Refusal = { tag: "bad-settings" | "missing-fact" | "unsupported"; val: Code };
export interface SettingDecl<T = unknown> {
  key: Code; kind: { tag: string; val?: unknown }; default: { tag: string; val: T }; label: Text; help: Text;
}
export type Fact = "age" | "standing" | "joined" | "roles" | "tags" | "usage" | "balances" | "answers";
export interface Manifest { title: Text; summary: Text; facts: Fact[]; settings: SettingDecl[]; messages: { code: Code; text: Text }[] }
export interface Meta { describe(): Manifest; checkSettings(settings: Setting[]): void }

export interface EligibilityRequest {
  who: Member; balances: Amount[]; used: Usage | null; slot: Slot; party: number; answers: Setting[];
}
export type Verdict = { tag: "allow" } | { tag: "deny"; val: Reason } | { tag: "needs-approval"; val: Reason } | { tag: "abstain" };
/** `export const bookingEligibility: BookingEligibility`. A refusal is thrown. */
export interface BookingEligibility { decide(ctx: Context, req: EligibilityRequest): Verdict }

export interface PriceRequest {
  who: Member; balances: Amount[]; used: Usage | null; slot: Slot; answers: Setting[];
  base: Amount; floor: Amount; ceiling: Amount;
}
export interface BookingPrice { quote(ctx: Context, req: PriceRequest): { price: Amount; why: Reason[] } }

export interface Waiting { who: Member; since: Minute; used: Usage | null; answers: Setting[] }
export interface BookingPriority { prioritise(ctx: Context, req: { slot: Slot; queue: Waiting[] }): number[] }

export interface Event { kind: Code; role: Code; minutes: number; quantity: number; score: number | null; tags: Code[] }
export interface AwardRequest { actor: Member; balances: Amount[]; event: Event; caps: Amount[] }
export interface Award { to: number; amount: Amount; why: Reason }
export interface PointsAward { grant(ctx: Context, req: AwardRequest): Award[] }

export interface Topic {
  kind: Code; source: Code | null; affectedHouseholds: number | null; costFen: number | null; tags: Code[];
}
export interface DeliberationTrack { choose(ctx: Context, req: { topic: Topic; tracks: Code[] }): { track: Code; why: Reason } }

export interface Share { numerator: number; denominator: number; exclusive: boolean }
export interface Thresholds { quorum: Share | null; pass: Share | null; openHours: number }
export interface ThresholdsRequest {
  kind: Code; track: Code; eligible: number; affectedHouseholds: number | null; costFen: number | null; tags: Code[];
  lawful: Thresholds;
}
export interface DeliberationThresholds { tighten(ctx: Context, req: ThresholdsRequest): { thresholds: Thresholds; why: Reason[] } }

export function text(zhCn: string, en: string): Text;
export function number(key: Code, value: number, min: number, max: number, label: Text, help: Text): SettingDecl<number>;
export function flag(key: Code, value: boolean, label: Text, help: Text): SettingDecl<boolean>;
export function choice(key: Code, options: Code[], label: Text, help: Text): SettingDecl<Code>;
export function numbers(key: Code, value: number[], most: number, label: Text, help: Text): SettingDecl<number[]>;
export function codes(key: Code, value: Code[], most: number, label: Text, help: Text): SettingDecl<Code[]>;
export type Settings = <T>(decl: SettingDecl<T>) => T;
export function settingsOf(ctx: { settings: Setting[] }): Settings;
export function answer<K extends SettingValue["tag"]>(list: Setting[], key: Code, tag: K): Extract<SettingValue, { tag: K }>["val"] | undefined;
export function reason(code: Code, ...args: (string | number)[]): Reason;
export function amount(asset: Code, value: number): Amount;
export const allow: Verdict;
export const abstain: Verdict;
export function deny(code: Code, ...args: (string | number)[]): Verdict;
export function needsApproval(code: Code, ...args: (string | number)[]): Verdict;
export function missingFact(code: Code): Refusal;
export function badSettings(code: Code): Refusal;
export function unsupported(code: Code): Refusal;
export function ageOf(who: Member): number;
export function usageOf(used: Usage | null): Usage;
export function hasTag(who: Member, tag: Code): boolean;
export function hasRole(who: Member, role: Code): boolean;
export function describe(rule: {
  title: Text; summary: Text; facts?: Fact[]; settings?: SettingDecl<any>[]; messages?: Record<Code, Text>;
  check?: (settings: Settings) => [Code, Reason][];
}): Meta;
