/**
 * What apt could install of a package: its candidate and all versions its sources have.
 * Invariant: asked once per package and run; undefined means apt has never heard of the name.
 * Only asks.
 */

import { refusal } from '../../protocol/problem-codes.ts';
import { lastLines } from '../../system/program-end.ts';
import { aptPolicy } from '../../system/queries.ts';
import type { SystemReader } from '../../system/system.ts';

/** Key under which `once` remembers the answers: forget it when the lists change. */
export const policiesKey = 'apt-policies';

export interface AptPolicy {
  /** The version apt would install; undefined for a virtual package. */
  readonly candidate: string | undefined;
  readonly versions: readonly string[];
}

/** The policy of one package, remembered for the run. */
export async function aptPolicyOf(system: SystemReader, name: string): Promise<AptPolicy | undefined> {
  const policies = await system.once(policiesKey, async () => new Map<string, AptPolicy | undefined>());
  if (!policies.has(name)) {
    const { status, stdout, stderr } = await system.query(aptPolicy(name));
    if (status !== 0) {
      throw refusal('package.failed', `apt-cache cannot say what it knows of ${name}`, {
        lines: lastLines(stderr),
      });
    }
    policies.set(name, parsePolicy(stdout));
  }
  return policies.get(name);
}

/** Reads `apt-cache policy NAME`. */
export function parsePolicy(text: string): AptPolicy | undefined {
  const candidate = /^ {2}Candidate: (\S+)$/m.exec(text)?.[1];
  if (candidate === undefined) return undefined;
  const versions = [...text.matchAll(/^ (?:\*\*\*| {3}) (\S+)(?: -?\d+)?$/gm)].map((match) => match[1] ?? '');
  return { candidate: candidate === '(none)' ? undefined : candidate, versions };
}
