/**
 * One large file to eight hosts, from a commit and from a working tree: it arrives whole, and the reconciler does not grow with it.
 */

import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPolicy, type Policy, roleText } from '../faults/policy.ts';
import { Running, summaryOf } from '../faults/towline.ts';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import { runGit } from '../helpers/git-repository.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';

const reason = fleetAvailable();
const mebibyte = 1024 * 1024;
/** More than the memory may grow: a reconciler that held it once would fail. */
const fileBytes = 72 * mebibyte;
const hosts = 8;

/** Most that the reconciler's memory may grow while it sends, and most that an agent may have. */
const growthLimit = 64 * mebibyte;
const agentLimit = 160 * mebibyte;

describe.skipIf(reason !== undefined)(`a large file${reason ? ` (skipped: ${reason})` : ''}`, () => {
  const directories = temporaryDirectories();
  let fleet: Fleet;
  let policy: Policy;
  let sha256 = '';

  beforeAll(async () => {
    fleet = await upFleet({ count: hosts });
    policy = createPolicy(directories(), fleet, {
      roles: { image: roleText("file('/srv/image', { from: 'image' })", "maxFailures: '100%',") },
      settings: [`parallel = ${hosts}`],
    });
    sha256 = writeImage();
    runGit(policy.repo, 'add', '-A');
    runGit(policy.repo, 'commit', '-q', '-m', 'The image');
  });
  afterAll(async () => {
    await fleet?.down();
  });

  /** Writes another image; gives its hash. */
  function writeImage(): string {
    const bytes = randomBytes(fileBytes);
    const folder = join(policy.repo, 'roles/image/files');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'image'), bytes);
    return createHash('sha256').update(bytes).digest('hex');
  }

  /** Applies, and gives by how many bytes the process grew after all hosts had a line, and what the largest agent had. */
  async function memoryOf(
    argv: readonly string[],
    changed: number,
  ): Promise<{ readonly growth: number; readonly agent: number }> {
    const running = new Running(argv, policy);
    const lines = (): number => running.said.filter((said) => said.type === 'host-connected').length;
    await running.when(() => lines() === changed, 'all lines are open');
    const before = residentBytes(running.process.pid ?? 0);
    let most = before;
    let agent = 0;
    const sampling = setInterval(() => {
      most = Math.max(most, residentBytes(running.process.pid ?? 0));
      agent = Math.max(agent, ...(fleet.hosts[0]?.agentPids() ?? []).map(residentBytes));
    }, 50);
    const ended = await running.end(110);
    clearInterval(sampling);
    expect(ended.status, ended.stdout).toBe(0);
    expect(summaryOf(ended)?.hosts.changed).toHaveLength(changed);
    return { growth: most - before, agent };
  }

  async function expectArrived(hash: string, count: number): Promise<void> {
    for (const host of fleet.hosts.slice(0, count)) {
      const { stdout } = await host.exec(['sha256sum', '/srv/image']);
      expect(stdout.slice(0, 64)).toBe(hash);
    }
  }

  it('of a commit reaches eight hosts, and neither the reconciler nor an agent grows with it', async () => {
    const { growth, agent } = await memoryOf(['apply', '--json'], hosts);
    expect(growth).toBeLessThan(growthLimit);
    expect(agent).toBeLessThan(agentLimit);
    await expectArrived(sha256, hosts);
  });

  it('of a working tree does so too', async () => {
    const edited = writeImage();
    const limit = ['--limit-hosts', 'host1', '--limit-hosts', 'host2'];
    const { growth, agent } = await memoryOf(['apply', '--json', '--worktree', ...limit], 2);
    expect(growth).toBeLessThan(growthLimit);
    expect(agent).toBeLessThan(agentLimit);
    await expectArrived(edited, 2);
  });
});

function residentBytes(pid: number): number {
  try {
    return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
