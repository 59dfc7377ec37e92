/**
 * Loads an inventory from its files: read, gather, check, merge.
 * Invariant: all problems are reported at once; the inventory given is frozen and complete.
 * Never reads a file itself; never lets a password out other than as a Secret.
 */

import { hash } from 'node:crypto';
import { canonicalJson, type Json } from '../agent/protocol/json.ts';
import { type Checked, success } from '../agent/protocol/problem.ts';
import { Secret } from '../agent/protocol/secret.ts';
import { addFile, type Draft, type HostDraft, newDraft } from './draft.ts';
import { ancestorFinder, checkChildren, parentsFirst } from './groups.ts';
import { type MagicName, secretMagic } from './magic.ts';
import type { Group, Host, Inventory } from './model.ts';
import { checkForm } from './schema.ts';
import { checkSettings } from './settings-check.ts';
import { parseToml } from './toml.ts';
import { type Layer, type Merged, mergeOver, nothingMerged, provenanceIn } from './variables.ts';

/** One file of an inventory. */
export interface InventoryText {
  /** As it is to appear in places. */
  readonly path: string;
  readonly text: string;
}

/** What hosts with the same groups share. */
interface Membership {
  readonly groups: readonly string[];
  /** Their canonical text. */
  readonly groupsText: string;
  readonly layers: readonly Layer[];
  readonly merged: Merged;
}

interface Member {
  readonly host: Host;
  readonly draft: HostDraft;
  readonly membership: Membership;
  readonly magic: ReadonlyMap<MagicName, Json>;
}

/** Loads one inventory from one or more files; where they say different things, a later file counts. */
export function loadInventory(files: readonly InventoryText[]): Checked<Inventory> {
  const draft = newDraft();
  const readable = files.map(({ path, text }) => gather(draft, path, text)).every(Boolean);
  if (!readable) return { ok: false, problems: draft.problems };
  const misplaced = checkChildren(draft.groups);
  if (misplaced.length > 0) return { ok: false, problems: [...draft.problems, ...misplaced] };
  const members = mergeHosts(draft);
  const settings = checkSettings(draft.sources, {
    hosts: members,
    magicOf: (host) => members.get(host)?.magic,
    provenance: (host, variable) => provenanceOf(members.get(host), variable),
  });
  const problems = [...draft.problems, ...settings];
  return problems.length > 0 ? { ok: false, problems } : success(inventoryOf(draft, members));
}

/** Adds one file; false when its syntax is wrong, so that nothing of it is known. */
function gather(draft: Draft, path: string, text: string): boolean {
  const document = parseToml(path, text);
  if (document.ok) {
    const { file, problems } = checkForm(document.value);
    draft.problems.push(...problems);
    addFile(draft, document.value, file);
  } else draft.problems.push(...document.problems);
  return document.ok;
}

function mergeHosts(draft: Draft): ReadonlyMap<string, Member> {
  const membershipOf = membershipFinder(draft);
  const members = new Map<string, Member>();
  for (const [name, host] of draft.hosts) {
    const membership = membershipOf(host.groups);
    const { plain, magic } = mergeOver(mergeOver(membership.merged, host.own), host.listed);
    const { groups, groupsText } = membership;
    const fingerprint = hash(
      'sha256',
      `[${JSON.stringify(name)},${groupsText},${canonicalJson(plain)}]`,
      'hex',
    );
    const frozen: Host = Object.freeze({ name, groups, variables: plain, fingerprint });
    members.set(name, { host: frozen, draft: host, membership, magic });
  }
  return members;
}

function membershipFinder(draft: Draft): (direct: ReadonlySet<string>) => Membership {
  const order = parentsFirst(draft.groups);
  const ancestors = ancestorFinder(draft.groups);
  const known = new Map<string, Membership>();
  return (direct) => {
    const key = [...direct].sort().join(' ');
    const earlier = known.get(key);
    if (earlier !== undefined) return earlier;
    const within = ancestors(direct);
    const layers = order
      .filter((name) => within.has(name))
      .map((name) => ({ name, sources: draft.groups.get(name)?.sources ?? [] }));
    const merged = layers.reduce((base, { sources }) => mergeOver(base, sources), nothingMerged);
    const groups = Object.freeze([...within].sort());
    const membership = { groups, groupsText: canonicalJson(groups), layers, merged };
    known.set(key, membership);
    return membership;
  };
}

function inventoryOf(draft: Draft, members: ReadonlyMap<string, Member>): Inventory {
  return Object.freeze({
    hosts: new Map([...members].map(([name, { host }]) => [name, host])),
    groups: groupsOf(draft, members),
    provenance: (host: string, variable: string) => provenanceOf(members.get(host), variable),
    magic: (host: string) => shown(members.get(host)?.magic),
    secret: (host: string, variable: string) => secretOf(members.get(host)?.magic, variable),
  });
}

function groupsOf(draft: Draft, members: ReadonlyMap<string, Member>): ReadonlyMap<string, Group> {
  const hosts = new Map<string, string[]>([...draft.groups.keys()].map((name) => [name, []]));
  for (const { host } of members.values()) for (const group of host.groups) hosts.get(group)?.push(host.name);
  const groups = new Map<string, Group>();
  for (const [name, { children }] of draft.groups) {
    const group = {
      name,
      children: Object.freeze([...children.keys()]),
      hosts: Object.freeze(hosts.get(name) ?? []),
    };
    groups.set(name, Object.freeze(group));
  }
  return groups;
}

function provenanceOf(member: Member | undefined, variable: string): ReturnType<typeof provenanceIn> {
  if (member === undefined) return undefined;
  const { own, listed } = member.draft;
  return provenanceIn(
    [...member.membership.layers, { name: 'host', sources: [...own, ...listed] }],
    variable,
  );
}

function shown(magic: Member['magic'] | undefined): Readonly<Record<string, Json>> {
  const values: Record<string, Json> = {};
  for (const [name, value] of magic ?? []) values[name] = secretMagic.has(name) ? '«secret»' : value;
  return Object.freeze(values);
}

function secretOf(magic: Member['magic'] | undefined, variable: string): Secret | undefined {
  const name = variable as MagicName;
  const value = secretMagic.has(name) ? magic?.get(name) : undefined;
  return typeof value === 'string' ? new Secret(value) : undefined;
}
