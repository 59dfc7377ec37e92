/**
 * What `line` and `block` share: look at a text file, edit it in memory, replace it safely.
 * Invariant: everything outside the edit stays byte for byte; apply edits the file as it is at that moment.
 * Never writes when the edit changes nothing.
 */

import { type Change, makeChange } from '../protocol/change.ts';
import { refusal } from '../protocol/problem-codes.ts';
import type { Shapes } from '../protocol/shapes/index.ts';
import type { ReplaceOptions, System, SystemReader } from '../system/system.ts';
import { applyOwnership, checkPlace, ownershipChanges } from './ownership-changes.ts';
import { absentToPresent, wrongType } from './path-state.ts';
import { cleanPath, foreseeing, Unforeseen, vagueMaker, writersOf } from './pending.ts';
import type { CheckContext, Resource } from './resource.ts';
import { textDiff } from './text-diff.ts';
import { decodeText, joinLines, type Line, splitLines } from './text-lines.ts';

/** The parameters both kinds have. */
interface TextShape extends ReplaceOptions {
  readonly path: string;
  readonly state: 'present' | 'absent';
  readonly create?: boolean | undefined;
}

/** The edited lines, and what was where the edit was made, for people. */
export interface Edited {
  readonly lines: readonly Line[];
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

export interface TextEdit<W extends TextShape> {
  /** Name of the change. */
  readonly property: string;
  /** `term` turns wanted text into the file's terms. Undefined: nothing to do. */
  edit(lines: readonly Line[], wanted: W, term: (wanted: string) => string): Edited | undefined;
}

/** The kind that makes this edit. */
export function textResource<K extends 'line' | 'block'>(edit: TextEdit<Shapes[K]>): Resource<K> {
  return {
    check: foreseeing((system, wanted, context) => checkEdit(system, wanted, context, edit)),
    async apply(system, wanted, changes) {
      await applyEdit(system, wanted, changes, edit);
      return undefined;
    },
  };
}

/** The changes an edit would make. */
async function checkEdit<W extends TextShape>(
  system: SystemReader,
  wanted: W,
  context: CheckContext,
  { property, edit }: TextEdit<W>,
): Promise<readonly Change[]> {
  const path = cleanPath(wanted.path);
  const stat = await system.stat(path);
  const writers = writersOf(context.pending, path);
  const whole = writers.find(({ kind }) => kind !== 'line' && kind !== 'block');
  if (whole) throw new Unforeseen(`${whole.id} would write ${path} first`);
  if (!stat) return missing(system, { path, writer: writers[0]?.id }, wanted, context, { property, edit });
  if (stat.type !== 'file') throw wrongType(path, stat.type, 'a regular file');
  const result = await editFile(system, path, wanted, edit);
  const ownership =
    wanted.state === 'absent' ? [] : await ownershipChanges(system, stat, { ownership: wanted }, context);
  if (!result) return ownership;
  const { from, to } = result.edited;
  const diff = textDiff(result.before, result.after);
  return [{ ...makeChange('update', property, from, to), diff }, ...ownership];
}

/** Makes the announced changes. */
async function applyEdit<W extends TextShape>(
  system: System,
  wanted: W,
  changes: readonly Change[],
  { property, edit }: TextEdit<W>,
): Promise<void> {
  const path = cleanPath(wanted.path);
  if (changes.some((change) => change.action === 'create' || change.property === property)) {
    const result = await editFile(system, path, wanted, edit);
    if (result) await system.replaceFile(path, { bytes: result.after }, optionsOf(wanted));
  } else await applyOwnership(system, path, wanted, changes);
}

/** A regular expression of the policy. Throws resource.failed naming it. */
export function pattern(source: string | undefined, term: (wanted: string) => string): RegExp | undefined {
  if (source === undefined) return undefined;
  try {
    return new RegExp(term(source));
  } catch (error) {
    throw refusal('resource.failed', (error as Error).message);
  }
}

/** Removing an edit leaves mode and owner alone. */
function optionsOf(wanted: TextShape): ReplaceOptions {
  const { validate, backup } = wanted;
  return wanted.state === 'absent' ? { validate, backup } : wanted;
}

async function editFile<W extends TextShape>(
  system: SystemReader,
  path: string,
  wanted: W,
  edit: TextEdit<W>['edit'],
): Promise<{ readonly before: Buffer; readonly after: Buffer; readonly edited: Edited } | undefined> {
  const before = (await system.readFile(path)) ?? Buffer.alloc(0);
  const { text, term, encode } = decodeText(before);
  const edited = edit(splitLines(text), wanted, term);
  return edited && { before, after: encode(joinLines(edited.lines)), edited };
}

async function missing<W extends TextShape>(
  system: SystemReader,
  { path, writer }: { readonly path: string; readonly writer: string | undefined },
  wanted: W,
  context: CheckContext,
  { edit }: TextEdit<W>,
): Promise<readonly Change[]> {
  if (wanted.state === 'absent') return [];
  const maker = writer ?? vagueMaker(context.pending);
  if (maker !== undefined && (writer !== undefined || !wanted.create))
    throw new Unforeseen(`${path} is not there yet; ${maker} may make it`);
  if (!wanted.create) {
    throw refusal('file.missing', `${path} does not exist`);
  }
  await checkPlace(system, path, wanted, context);
  const lines = edit([], wanted, (text) => text)?.lines ?? [];
  return [{ ...absentToPresent, diff: textDiff(Buffer.alloc(0), Buffer.from(joinLines(lines))) }];
}
