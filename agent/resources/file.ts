/**
 * Kinds `file` and `template`: one regular file, its content, mode and owner.
 * Invariant: after apply, check is clean; the old content stays in force until the new is whole, verified and validated.
 * Never replaces something of another type; never touches an existing file with createOnly.
 */

import { sha256Of } from '../protocol/blob.ts';
import type { Change } from '../protocol/change.ts';
import type { Registered } from '../protocol/outcome.ts';
import type { FileShape } from '../protocol/shapes/file.ts';
import type { FileStat, NewContent, SystemReader } from '../system/system.ts';
import { contentChange, newContentDiff, type WantedContent } from './content-change.ts';
import { renderDeferred } from './deferred-template.ts';
import { applyOwnership, checkPlace, ownershipChanges } from './ownership-changes.ts';
import { absentToPresent, removal, wrongType } from './path-state.ts';
import { cleanPath, foreseeing } from './pending.ts';
import type { CheckContext, Resource } from './resource.ts';

interface Source extends WantedContent {
  readonly from: NewContent;
}

export const fileResource: Resource<'file'> = {
  check: foreseeing(async (system, wanted, context) => {
    const path = cleanPath(wanted.path);
    const stat = await system.stat(path);
    if (wanted.state === 'absent') return stat ? [absence(path, stat)] : [];
    if (!stat) return creation(system, path, wanted, context);
    if (stat.type !== 'file') throw wrongType(path, stat.type, 'a regular file');
    return wanted.createOnly ? [] : differences(system, { path, stat }, wanted, context);
  }),

  async apply(system, wanted, changes, context) {
    const path = cleanPath(wanted.path);
    const announces = (action: Change['action'], property: string): boolean =>
      changes.some((change) => change.action === action && change.property === property);
    if (announces('remove', 'state')) await system.remove(path);
    else if (announces('create', 'state') || announces('update', 'content')) {
      const source = sourceOf(system, wanted, context);
      await system.replaceFile(path, source?.from ?? { text: '' }, wanted);
    } else await applyOwnership(system, path, wanted, changes);
    return undefined;
  },

  async observe(system, wanted): Promise<Registered> {
    const path = cleanPath(wanted.path);
    if (wanted.state === 'absent') return { path };
    const known = wanted.createOnly ? undefined : wanted.content?.sha256;
    return { path, sha256: known ?? (await system.sha256(path)) ?? null };
  },
};

/** A template is a file whose content was rendered, by the reconciler or here. */
export const templateResource: Resource<'template'> = { ...fileResource };

function absence(path: string, stat: FileStat): Change {
  if (stat.type === 'directory') throw wrongType(path, stat.type, 'a file');
  return removal(stat);
}

async function creation(
  system: SystemReader,
  path: string,
  wanted: FileShape,
  context: CheckContext,
): Promise<readonly Change[]> {
  await checkPlace(system, path, wanted, context);
  return [{ ...absentToPresent, ...newContentDiff(sourceOf(system, wanted, context)) }];
}

async function differences(
  system: SystemReader,
  file: { readonly path: string; readonly stat: FileStat },
  wanted: FileShape,
  context: CheckContext,
): Promise<readonly Change[]> {
  const source = sourceOf(system, wanted, context);
  const content = source && (await contentChange(system, file, source));
  const ownership = await ownershipChanges(system, file.stat, { ownership: wanted }, context);
  return content ? [content, ...ownership] : ownership;
}

/** Undefined when the resource says nothing about content. */
function sourceOf(
  system: SystemReader,
  { content, deferred }: FileShape,
  context: CheckContext,
): Source | undefined {
  if (content) return { content, bytes: system.held(content), from: { content } };
  if (!deferred) return undefined;
  const bytes = Buffer.from(renderDeferred(system, deferred, context));
  return { content: { sha256: sha256Of(bytes), size: bytes.length }, bytes, from: { bytes } };
}
