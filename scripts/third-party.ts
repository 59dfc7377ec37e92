/**
 * The licences of the packages that a release carries inside its bundles.
 * Invariant: every package that a bundle holds code of is named, with its version and the text its licence asks to be passed on.
 * Never guesses a licence: a package that names none is an error.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly author?: string | { readonly name: string };
}

/** The text for `metafile`'s bundles; paths in it are below `root`. */
export function licencesOf(metafile: Metafile, root: string): string {
  const used = Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
  );
  const folders = new Set(used.flatMap((path) => packageFolder(path) ?? []));
  const parts = [...folders].sort().map((folder) => licenceOf(join(root, folder)));
  return `The bundles in this folder hold code of these packages.\n\n${parts.join('\n')}`;
}

/** The folder of the package that a file is in. */
function packageFolder(path: string): string | undefined {
  return /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
}

function licenceOf(folder: string): string {
  const { name, version, license, author } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  ) as Manifest;
  if (license === undefined) throw new Error(`${folder} names no licence`);
  const file = readdirSync(folder).find((entry) => /^licen[cs]e\b/i.test(entry));
  const by = typeof author === 'object' ? author.name : author;
  const text =
    file === undefined
      ? `Copyright: ${by ?? `the authors of ${name}`}`
      : readFileSync(join(folder, file), 'utf8').trim();
  return `## ${name} ${version} (${license})\n\n${text}\n`;
}
