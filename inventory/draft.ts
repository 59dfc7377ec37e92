/**
 * What the files of an inventory say, gathered before anything is merged.
 * Invariant: groups and hosts stand in the order of their first mention; `all` is always there, first.
 * Never decides which value is in force.
 */

import type { Place, Problem } from '../agent/protocol/problem.ts';
import { isName } from './names.ts';
import { inventoryProblem } from './problem-codes.ts';
import type { GroupEntry, InventoryFile } from './schema.ts';
import { type HostEntry, SourceReader } from './sources.ts';
import type { TomlDocument } from './toml.ts';
import type { Source } from './variables.ts';

export interface GroupDraft {
  /** Child groups, with the place of the first mention. */
  readonly children: Map<string, Place>;
  readonly sources: Source[];
}

export interface HostDraft {
  /** Groups that list the host. */
  readonly groups: Set<string>;
  /** What [hosts] says of it; comes before … */
  readonly own: Source[];
  /** … what groups that list it say. */
  readonly listed: Source[];
}

export interface Draft {
  readonly groups: Map<string, GroupDraft>;
  readonly hosts: Map<string, HostDraft>;
  /** Every Source read, once, however many hosts share it. */
  readonly sources: Source[];
  readonly problems: Problem[];
}

/** An empty draft. */
export function newDraft(): Draft {
  const draft: Draft = { groups: new Map(), hosts: new Map(), sources: [], problems: [] };
  groupIn(draft, 'all');
  return draft;
}

/** Adds what one file says. */
export function addFile(draft: Draft, document: TomlDocument, file: InventoryFile): void {
  const reader = new SourceReader(document, draft.problems);
  for (const section of Object.keys(document.value)) {
    if (section === 'hosts') addHosts(draft, reader.hosts(['hosts'], file.hosts), undefined);
    if (section !== 'groups') continue;
    for (const [name, entry] of Object.entries(file.groups)) {
      if (isName(name)) addGroup(draft, reader, { name, entry, document });
      else draft.problems.push(badGroupName(name, document.place(['groups', name])));
    }
  }
}

interface NamedGroup {
  readonly name: string;
  readonly entry: GroupEntry;
  readonly document: TomlDocument;
}

function addGroup(draft: Draft, reader: SourceReader, { name, entry, document }: NamedGroup): void {
  const group = groupIn(draft, name);
  if (entry.vars !== undefined)
    addVariables(draft, group, reader.variables(['groups', name, 'vars'], entry.vars));
  for (const [index, child] of (entry.children ?? []).entries()) {
    if (!group.children.has(child)) {
      group.children.set(child, document.place(['groups', name, 'children', index]));
    }
  }
  addHosts(draft, reader.hosts(['groups', name, 'hosts'], entry.hosts), name);
}

function addVariables(draft: Draft, group: GroupDraft, source: Source): void {
  group.sources.push(source);
  draft.sources.push(source);
}

function addHosts(draft: Draft, entries: readonly HostEntry[], group: string | undefined): void {
  for (const { names, sources } of entries) {
    draft.sources.push(...sources);
    for (const name of names) {
      const host = hostIn(draft, name);
      if (group !== undefined) host.groups.add(group);
      (group === undefined ? host.own : host.listed).push(...sources);
    }
  }
}

function groupIn(draft: Draft, name: string): GroupDraft {
  const known = draft.groups.get(name);
  if (known !== undefined) return known;
  const group: GroupDraft = { children: new Map(), sources: [] };
  draft.groups.set(name, group);
  return group;
}

function hostIn(draft: Draft, name: string): HostDraft {
  const known = draft.hosts.get(name);
  if (known !== undefined) return known;
  const host: HostDraft = { groups: new Set(), own: [], listed: [] };
  draft.hosts.set(name, host);
  return host;
}

function badGroupName(name: string, where: Place): Problem {
  return inventoryProblem('inventory.bad-name', `${JSON.stringify(name)} is not a possible group name`, {
    where,
  });
}
