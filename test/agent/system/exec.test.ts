import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cleanEnvironment, runProgram } from '../../../agent/system/exec.ts';
import { codeOf } from '../test-host.ts';

const sh = (script: string, ...args: string[]) => ['sh', '-c', script, 'sh', ...args];

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function eventually(holds: () => boolean): Promise<boolean> {
  for (let attempt = 0; attempt < 200 && !holds(); attempt += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return holds();
}

describe('runProgram', () => {
  it('gives status and both streams apart, and no argument to a shell', async () => {
    const result = await runProgram(sh('echo "$1"; echo err >&2; exit 3', '$(id) `id` ; id'));
    expect(result).toEqual({
      status: 3,
      signal: null,
      stdout: '$(id) `id` ; id\n',
      stderr: 'err\n',
      timedOut: false,
    });
  });

  it('passes on nothing of its own environment but PATH, HOME and USER', async () => {
    process.env.TOWLINE_TEST_SECRET = 'x';
    try {
      const base = { path: '.:/opt/x:/bin', home: '/h', user: 'u' };
      const { stdout } = await runProgram(['env'], { base, env: { EXTRA: '1' } });
      expect(stdout.trim().split('\n').sort()).toEqual([
        'EXTRA=1',
        'HOME=/h',
        'LANG=C.UTF-8',
        'LOGNAME=u',
        'PATH=/opt/x:/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin',
        'USER=u',
      ]);
      expect(cleanEnvironment(base).PATH).not.toContain('.:');
    } finally {
      delete process.env.TOWLINE_TEST_SECRET;
    }
  });

  it('writes stdin, works in cwd, and survives a program that does not read', async () => {
    expect((await runProgram(['cat'], { stdin: 'grüße' })).stdout).toBe('grüße');
    expect((await runProgram(['pwd'], { cwd: '/etc' })).stdout).toBe('/etc\n');
    expect((await runProgram(['pwd'])).stdout).toBe('/\n');
    expect(await runProgram(['true'], { stdin: 'x'.repeat(1_000_000) })).toMatchObject({ status: 0 });
  });

  it('streams whole characters and keeps the last 64 KiB', async () => {
    let seen = '';
    const script =
      'printf "\\303"; sleep 0.05; printf "\\274"; head -c 200001 /dev/zero | tr "\\0" a; printf "ü\\303"';
    const result = await runProgram(sh(script), {
      onOutput: (_, text) => {
        seen += text;
      },
    });
    expect(seen).toBe(`ü${'a'.repeat(200_001)}ü\ufffd`);
    expect(Buffer.byteLength(result.stdout)).toBeLessThanOrEqual(64 * 1024 + 2);
    expect(result.stdout).toMatch(/^a{60000,}ü\ufffd$/);
  });

  it('ends the whole process group at the timeout, also one that ignores the polite signal', async () => {
    const result = await runProgram(sh('trap "" TERM; sleep 300 & echo $!; wait; sleep 300'), {
      timeout: 0.2,
    });
    expect(result).toMatchObject({ status: null, signal: 'SIGKILL', timedOut: true });
    const child = Number(result.stdout);
    expect(child).toBeGreaterThan(1);
    expect(await eventually(() => !isAlive(child))).toBe(true);
  });

  it('ends on abort, which is then the reason even when a timeout follows', async () => {
    const controller = new AbortController();
    const running = runProgram(sh('echo up; sleep 300'), {
      signal: controller.signal,
      timeout: 300,
      onOutput: () => void controller.abort(),
    });
    expect(await running).toMatchObject({ signal: 'SIGTERM', timedOut: false, stdout: 'up\n' });
    expect(await codeOf(runProgram(['true'], { signal: controller.signal }))).toBe('agent.cancelled');
  });

  it('does not wait for a daemon that keeps the streams open', async () => {
    const result = await runProgram(sh('sleep 300 & echo $!'));
    expect(result.status).toBe(0);
    process.kill(Number(result.stdout));
  });

  it('says why a program cannot start', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'towline-exec-'));
    try {
      const script = join(directory, 'plain');
      writeFileSync(script, 'no program', { mode: 0o644 });
      const why = async (argv: string[], cwd?: string) => {
        const failure = await runProgram(argv, { cwd }).catch((error) => error.problem);
        return `${failure.code} ${failure.message}`;
      };
      expect(await why(['no-such-program'])).toBe(
        'command.not-found cannot start no-such-program: no such program',
      );
      expect(await why([script])).toContain('it is not an executable file');
      expect(await why(['true'], '/no/where')).toContain('its working directory /no/where does not exist');
      expect(await why(['true', 'a\0b'])).toContain('command.not-found cannot start true');
      expect(await why([])).toContain('command.not-found');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
