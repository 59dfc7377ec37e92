import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gatherFacts } from '../../../agent/facts/gather.ts';
import { factsSchema } from '../../../agent/protocol/facts.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'towline-facts-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function lay(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

describe('gatherFacts', () => {
  it('knows this host, in the agreed form', async () => {
    const { facts, problems } = await gatherFacts();
    expect(problems).toEqual([]);
    expect(factsSchema.safeParse(facts).success).toBe(true);
    expect(facts.account?.uid).toBe(process.getuid?.());
    expect(facts.hardware?.memoryBytes).toBeGreaterThan(1024 * 1024);
    expect(facts.uptime).toBeGreaterThan(0);
    expect(Object.values(facts)).not.toContain(null);
  });

  it('makes a failing fact null, says why, and keeps the others', async () => {
    lay('proc/meminfo', 'MemTotal: 1 kB\nSwapTotal: 0 kB\n');
    lay('etc/towline/facts.d/good.json', '{"a":1}');
    lay('etc/towline/facts.d/bad.json', '{');
    lay('usr/bin/apt-get', '');
    const { facts, problems } = await gatherFacts({ root });
    expect(facts).toMatchObject({
      custom: null,
      uptime: null,
      packageManager: 'apt',
      machineId: '',
      hardware: { memoryBytes: 1024 },
    });
    expect(problems.map(({ code, message }) => `${code} ${message}`).sort()).toEqual([
      'agent.no-facts fact custom: /etc/towline/facts.d/bad.json is not JSON',
      'agent.no-facts fact uptime: /proc/uptime does not hold a number of seconds',
    ]);
  });

  it('reads declarations, without being held up by pipes, directories or what it may not read', async () => {
    lay('etc/towline/facts.d/rack.json', '{"row":4}');
    lay('etc/towline/facts.d/notes.txt', 'no');
    lay('etc/towline/facts.d/__proto__.json', '1');
    mkdirSync(join(root, 'etc/towline/facts.d/dir.json'));
    execFileSync('mkfifo', [join(root, 'etc/towline/facts.d/pipe.json')]);
    symlinkSync('/nowhere', join(root, 'etc/towline/facts.d/gone.json'));
    const { facts } = await gatherFacts({ root });
    expect(Object.entries(facts.custom ?? {})).toEqual([
      ['__proto__', 1],
      ['rack', { row: 4 }],
    ]);
    expect(({} as { row?: unknown }).row).toBe(undefined);
  });

  it('does not wait for facts that come too late', async () => {
    const { facts, problems } = await gatherFacts({ signal: AbortSignal.abort() });
    expect(Object.values(facts).every((fact) => fact === null)).toBe(true);
    expect(new Set(problems.map(({ code }) => code))).toEqual(new Set(['agent.no-facts']));
    expect(problems[0]?.message).toMatch(/^fact \w+: it was not read in time$/);
  });
});
