/**
 * The steps that bring what lies below a directory to a wanted tree.
 * Invariant: directories come before what they hold, removals of surplus last; every step is one change.
 * Reads only while planning; the acts get their System when they are taken.
 */

import type { Change } from '../protocol/change.ts';
import { refusal } from '../protocol/problem-codes.ts';
import type { DirectoryShape } from '../protocol/shapes/directory.ts';
import { dirname, join } from '../system/platform.ts';
import type { FileStat, Ownership, System, SystemReader } from '../system/system.ts';
import { contentChange, newContentDiff } from './content-change.ts';
import { ownershipChanges } from './ownership-changes.ts';
import { absentToPresent, removal, wrongType } from './path-state.ts';
import { cleanPath } from './pending.ts';
import type { CheckContext } from './resource.ts';

/** One change and the act that makes it. */
export interface Step {
  readonly change: Change;
  readonly act: (system: System) => Promise<void>;
}

interface Root {
  readonly path: string;
  readonly exists: boolean;
}

type Entry = NonNullable<DirectoryShape['tree']>[number];

/** Everything needed to plan one path below the root. */
interface Planning {
  readonly system: SystemReader;
  readonly root: string;
  readonly wanted: DirectoryShape;
  readonly context: CheckContext;
  /** Relative directories that are not there yet: nothing below them needs a look. */
  readonly missing: Set<string>;
}

/** The steps below `root`; empty when neither a tree nor purge is wanted. */
export async function planTree(
  system: SystemReader,
  root: Root,
  wanted: DirectoryShape,
  context: CheckContext,
): Promise<readonly Step[]> {
  const files = (wanted.tree ?? []).map((entry) => ({ ...entry, path: cleanPath(entry.path).slice(1) }));
  const directories = directoriesOf(files);
  const planning: Planning = {
    system,
    root: root.path,
    wanted,
    context,
    missing: new Set(root.exists ? [] : ['.']),
  };
  const steps: Step[] = [];
  for (const relative of directories) {
    steps.push(...(await directorySteps(planning, relative)));
  }
  for (const entry of files) {
    steps.push(...(await fileSteps(planning, entry)));
  }
  if (!wanted.purge || !root.exists) return steps;
  const keep = { files: new Set(files.map((entry) => entry.path)), directories: new Set(directories) };
  return [...steps, ...(await surplus(planning, '.', keep))];
}

/** All directories between the root and the files, parents first. */
function directoriesOf(files: readonly Entry[]): string[] {
  const found = new Set<string>();
  for (const { path } of files) {
    for (let above = dirname(path); above !== '.'; above = dirname(above)) found.add(above);
  }
  return [...found].sort();
}

async function directorySteps(planning: Planning, relative: string): Promise<readonly Step[]> {
  const { system, wanted, root, context } = planning;
  const { owner, group, mode } = wanted;
  const found = await look(planning, relative, 'directory');
  const path = join(root, relative);
  if (found.stat) return ownershipSteps(system, { path, stat: found.stat, below: relative }, wanted, context);
  planning.missing.add(relative);
  const make: Step = {
    change: { ...absentToPresent, property: relative, to: 'directory' },
    act: (hands) => hands.makeDirectory(path, { owner, group, mode }),
  };
  return [...found.clearing, make];
}

async function fileSteps(planning: Planning, entry: Entry): Promise<readonly Step[]> {
  const { system, root } = planning;
  const { owner, group } = planning.wanted;
  const path = join(root, entry.path);
  const ownership = { owner, group, mode: entry.mode };
  const wanted = { content: entry.content, bytes: system.held(entry.content) };
  const act = (hands: System): Promise<void> =>
    hands.replaceFile(path, { content: entry.content }, ownership);
  const found = await look(planning, entry.path, 'file');
  if (!found.stat) {
    const change = { ...absentToPresent, property: entry.path, to: 'file', ...newContentDiff(wanted) };
    return [...found.clearing, { change, act }];
  }
  const property = `content of ${entry.path}`;
  const content = await contentChange(system, { path, stat: found.stat, property }, wanted);
  const place = { path, stat: found.stat, below: entry.path };
  const kept = await ownershipSteps(system, place, ownership, planning.context);
  return content ? [{ change: content, act }, ...kept] : kept;
}

/** What is at a path below the root: of the wanted type, or nothing, or in the way and (with purge) to be cleared. */
async function look(
  { system, root, wanted, missing }: Planning,
  relative: string,
  type: 'file' | 'directory',
): Promise<{ readonly stat?: FileStat; readonly clearing: readonly Step[] }> {
  if (missing.has(dirname(relative))) return { clearing: [] };
  const path = join(root, relative);
  const stat = await system.stat(path);
  if (!stat) return { clearing: [] };
  if (stat.type === type) return { stat, clearing: [] };
  if (!wanted.purge) throw wrongType(path, stat.type, type === 'file' ? 'a regular file' : 'a directory');
  return { clearing: [removeStep(path, relative, stat)] };
}

/** What makes the ownership of something that is there as wanted; `below` names it in the changes. */
export async function ownershipSteps(
  system: SystemReader,
  { path, stat, below }: { readonly path: string; readonly stat: FileStat; readonly below?: string },
  { owner, group, mode }: Ownership,
  context: CheckContext,
): Promise<readonly Step[]> {
  const ownership: Ownership = { owner, group, mode };
  const label = (property: string): string => (below === undefined ? property : `${property} of ${below}`);
  const changes = await ownershipChanges(system, stat, { ownership, label }, context);
  return changes.map((change): Step => {
    const property = change.property.split(' ')[0] as keyof Ownership;
    return { change, act: (hands) => hands.setOwnership(path, { [property]: ownership[property] }) };
  });
}

async function surplus(
  planning: Planning,
  directory: string,
  keep: { readonly files: ReadonlySet<string>; readonly directories: ReadonlySet<string> },
): Promise<Step[]> {
  const { system, root } = planning;
  const steps: Step[] = [];
  for (const name of await system.list(join(root, directory))) {
    const relative = join(directory, name);
    if (keep.files.has(relative)) continue;
    const stat = await system.stat(join(root, relative));
    if (!stat) {
      if (name.includes('\ufffd'))
        throw refusal('resource.failed', `${root}/${relative}: its name is not UTF-8; remove it by hand`);
      continue;
    }
    if (!keep.directories.has(relative)) steps.push(removeStep(join(root, relative), relative, stat));
    else if (stat.type === 'directory') steps.push(...(await surplus(planning, relative, keep)));
  }
  return steps;
}

function removeStep(path: string, relative: string, stat: FileStat): Step {
  return {
    change: removal(stat, relative),
    act: (system) => system.remove(path, { recursive: true }),
  };
}
