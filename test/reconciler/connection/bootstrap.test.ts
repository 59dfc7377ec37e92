import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Result } from '../../../agent/protocol/problem.ts';
import { Secret } from '../../../agent/protocol/secret.ts';
import type { ConnectionSpec } from '../../../inventory/connection-spec.ts';
import { type AgentBundle, packAgent } from '../../../reconciler/connection/agent-bundle.ts';
import { openSession } from '../../../reconciler/connection/agent-session.ts';
import { type StartedAgent, startAgent } from '../../../reconciler/connection/bootstrap.ts';
import type { Runner } from '../../../reconciler/connection/line.ts';
import { startCommand } from '../../../reconciler/connection/loader.ts';
import { localRunner } from '../../../reconciler/connection/local.ts';
import { quote } from '../../../reconciler/connection/quote.ts';
import { connectSsh } from '../../../reconciler/connection/ssh.ts';
import type { SshConnection } from '../../../reconciler/connection/ssh-connection.ts';
import { type SshHost, startSshHost } from '../../../reconciler/demo/ssh-host.ts';
import { fixtureBundle, hostSpec, localSpec, testPoolOptions } from '../../helpers/lines.ts';
import { hasSshd, startSshd } from '../../helpers/sshd.ts';

const folder = mkdtempSync(join(tmpdir(), 'bootstrap-'));
const stubs = join(folder, 'bin');
const node = process.execPath;
let host: SshHost;
let connection: SshConnection;
let bundle: AgentBundle;
const started: StartedAgent[] = [];
const { ssh } = testPoolOptions('/dev/null');

beforeAll(async () => {
  mkdirSync(stubs);
  bundle = await fixtureBundle();
  host = await startSshHost({ folder, path: [stubs] });
  const opened = await connectSsh(hostSpec(host), ssh);
  if (!opened.ok) throw new Error(opened.problem.message);
  connection = opened.value;
});
afterEach(() => {
  for (const agent of started.splice(0)) agent.process.kill();
  for (const name of readdirSync(stubs)) rmSync(join(stubs, name));
});
afterAll(async () => {
  connection.end('the tests are over');
  await host.stop();
  rmSync(folder, { recursive: true });
});

/** Puts a program in front of the host's PATH. */
function stub(name: string, script: string): string {
  const path = join(stubs, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

async function start(
  target: Partial<ConnectionSpec> = {},
  more: Partial<Parameters<typeof startAgent>[2]> = {},
): Promise<Result<StartedAgent>> {
  const agent = await startAgent(
    connection,
    { host: 'web1', ...target },
    { bundle, startDeadline: 10_000, ...more },
  );
  if (agent.ok) started.push(agent.value);
  return agent;
}

/** The code of the failure, or the Node version the agent runs on. */
async function outcome(agent: Result<StartedAgent>): Promise<string> {
  if (!agent.ok) return agent.problem.code;
  const session = await openSession('web1', agent.value);
  if (!session.ok) return session.problem.code;
  const { node: version } = session.value.hello;
  await session.value.close('done');
  return version;
}

/** A sudo that asks with the prompt it is given, when the password file says so. */
const askingSudo = `
while [ "$1" != -- ]; do case "$1" in -p) prompt=$2; shift;; -n) silent=1;; esac; shift; done; shift
if [ -n "$silent" ]; then echo "sudo: a password is required" >&2; exit 1; fi
for attempt in 1 2 3; do
  printf %s "$prompt" >&2; IFS= read -r answer || exit 1
  if [ "$answer" = "right horse" ]; then exec "$@"; fi
  echo "Sorry, try again." >&2
done
exit 1`;

/** Root can become anyone without changing the machine. */
const canBecome = process.getuid?.() === 0 && existsSync('/usr/bin/sudo') && existsSync('/usr/bin/setpriv');

/** A doas that talks to its terminal only. */
const doasStub = `
while [ "$1" != -- ]; do shift; done; shift
printf 'doas (me@web1) password: ' > /dev/tty
stty -echo < /dev/tty; IFS= read -r answer < /dev/tty; stty echo < /dev/tty
if [ "$answer" = "right horse" ]; then exec "$@"; fi
echo 'doas: Authentication failed' >&2; exit 1`;

describe('starting an agent', () => {
  it('runs it from memory, with the first Node that is there', async () => {
    expect(await outcome(await start())).toMatch(/^v\d+/);
    expect(readdirSync(host.home)).toEqual([]);
  });

  it('takes the runtime that was named, also in the home and with spaces', async () => {
    stub('my node', `exec ${node} "$@"`);
    expect(await outcome(await start({ runtime: join(stubs, 'my node') }))).toBe(process.version);
    mkdirSync(join(host.home, 'opt'));
    writeFileSync(join(host.home, 'opt', 'node'), `#!/bin/sh\nexec ${node} "$@"\n`, { mode: 0o755 });
    expect(await outcome(await start({ runtime: '~/opt/node' }))).toBe(process.version);
    rmSync(join(host.home, 'opt'), { recursive: true });
  });

  it('prefers a runtime it has cached', async () => {
    const cache = join(host.home, '.cache', 'towline', 'v24');
    mkdirSync(cache, { recursive: true });
    writeFileSync(join(cache, 'node'), `#!/bin/sh\nexec ${node} "$@"\n`, { mode: 0o755 });
    stub('node', 'exit 9');
    expect(await outcome(await start())).toBe(process.version);
    rmSync(join(host.home, '.cache'), { recursive: true });
  });

  it('says that no runtime is there, with the kind of machine', async () => {
    const agent = await start({ runtime: '/nowhere/node' });
    expect(agent).toMatchObject({ ok: false, problem: { code: 'runtime.missing', where: { host: 'web1' } } });
    expect(!agent.ok && agent.problem.message).toContain('Linux');
  });

  it('says that a runtime is too old', async () => {
    const preload = join(folder, 'old.cjs');
    writeFileSync(
      preload,
      "Object.defineProperty(process,'versions',{value:{node:'16.20.2'}});Object.defineProperty(process,'version',{value:'v16.20.2'})",
    );
    const runtime = stub('old', `exec ${node} -r ${preload} "$@"`);
    const agent = await start({ runtime });
    expect(agent).toMatchObject({ ok: false, problem: { code: 'runtime.too-old' } });
    expect(!agent.ok && agent.problem.message).toContain('v16.20.2');
  });

  it('skips what a login prints, up to 64 KiB', async () => {
    stub('node', `head -c 60000 /dev/zero | tr '\\0' x; echo; echo Welcome; exec ${node} "$@"`);
    expect(await outcome(await start())).toBe(process.version);
    stub('node', `echo 'NO ENTRY'; head -c 70000 /dev/zero | tr '\\0' x; exec ${node} "$@"`);
    const agent = await start();
    expect(agent).toMatchObject({ ok: false, problem: { code: 'line.no-marker' } });
    expect(!agent.ok && agent.problem.message).toContain('NO ENTRY');
  });

  it('refuses code that arrived damaged', async () => {
    const damaged = {
      ...bundle,
      sha256: bundle.sha256.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
    };
    const agent = await start({}, { bundle: damaged });
    expect(await outcome(agent)).toBe('line.lost');
    expect(agent.ok && agent.value.said.lines).toEqual(['towline: the code of the agent arrived damaged']);
  });

  it('tells what was said when the command ends at once', async () => {
    stub('node', 'echo "error while loading shared libraries" >&2; exit 127');
    expect(await start()).toMatchObject({
      ok: false,
      problem: { code: 'line.start-failed', lines: ['error while loading shared libraries'] },
    });
  });

  it('gives up when nothing comes in time, or when it is cancelled', async () => {
    stub('node', 'echo waiting; sleep 60');
    expect(await start({}, { startDeadline: 200 })).toMatchObject({
      ok: false,
      problem: { code: 'line.start-timeout', lines: ['waiting'] },
    });
    expect(await outcome(await start({}, { signal: AbortSignal.timeout(100) }))).toBe('line.cancelled');
    expect(await outcome(await start({}, { signal: AbortSignal.abort() }))).toBe('line.cancelled');
  });

  it('reports an agent whose code throws, with what it said', async () => {
    const broken = await packAgent(Buffer.from('throw new Error("broken " + "agent")'));
    const agent = await start({}, { bundle: broken });
    expect(agent.ok).toBe(true);
    if (!agent.ok) return;
    const session = await openSession('web1', agent.value);
    expect(session).toMatchObject({ ok: false, problem: { code: 'line.lost' } });
    expect(!session.ok && session.problem.lines?.join()).toContain('broken agent');
  });

  it('survives every login shell, because the command has no character that one of them changes', () => {
    const task = {
      marker: randomBytes(16).toString('hex'),
      sha256: 'a',
      size: 1,
      compression: 'deflate',
    } as const;
    const command = startCommand({ task, pty: false });
    expect(command).toMatch(/^exec sh -c '[^'\\!\n]*'$/);
    expect(() => startCommand({ task, pty: false, runtime: '/a"$(b)' })).toThrow(RangeError);
  });

  it('runs here for connections of kind local', async () => {
    const agent = await startAgent(localRunner, localSpec, { bundle, startDeadline: 10_000 });
    expect(await outcome(agent)).toMatch(/^v/);
  });
});

describe('starting an agent as another account', () => {
  const sudo = (password?: string): Partial<ConnectionSpec> => ({
    become: {
      method: 'sudo',
      user: 'root',
      ...(password !== undefined && { password: new Secret(password) }),
    },
  });

  it('goes through sudo without a password', async () => {
    stub('sudo', 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"');
    expect(await outcome(await start(sudo()))).toMatch(/^v/);
  });

  it('answers sudo’s prompt, and does without one', async () => {
    stub('sudo', askingSudo);
    expect(await outcome(await start(sudo('right horse')))).toMatch(/^v/);
    stub('sudo', 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"');
    expect(await outcome(await start(sudo('right horse')))).toMatch(/^v/);
  });

  it('tells a wrong password from a missing one, from a refusal, from a missing sudo', async () => {
    stub('sudo', askingSudo);
    expect(await outcome(await start(sudo('wrong')))).toBe('become.wrong-password');
    expect(await outcome(await start(sudo()))).toBe('become.password-required');
    stub('sudo', 'echo "towline is not in the sudoers file." >&2; exit 1');
    expect(await outcome(await start(sudo()))).toBe('become.not-permitted');
    stub('sudo', 'echo "sudo: sorry, you must have a tty to run sudo" >&2; exit 1');
    expect(await outcome(await start(sudo('x')))).toBe('become.tty-required');
    stub('doas', 'echo "env: doas: No such file or directory" >&2; exit 127');
    const doas = await start({ become: { method: 'doas', user: 'root' } });
    expect(await outcome(doas)).toBe('become.unavailable');
    expect(!doas.ok && doas.problem.lines?.length).toBeGreaterThan(0);
  });

  it('goes through su with and without a password', async () => {
    const run = 'shift 4; exec sh -c "$1"';
    stub('su', run);
    expect(await outcome(await start({ become: { method: 'su', user: 'app' } }))).toMatch(/^v/);
    stub(
      'su',
      `printf 'Password: ' >&2; read -r answer; [ "$answer" = pw ] || { echo 'su: Authentication failure' >&2; exit 1; }\n${run}`,
    );
    const become = (password: string) => ({
      become: { method: 'su', user: 'app', password: new Secret(password) } as const,
    });
    expect(await outcome(await start(become('pw')))).toMatch(/^v/);
    expect(await outcome(await start(become('no')))).toBe('become.wrong-password');
  });

  it.skipIf(!canBecome)('works with the sudo and su of this machine', async () => {
    for (const method of ['sudo', 'su'] as const) {
      const agent = await start({ become: { method, user: 'nobody' } });
      if (!agent.ok) throw new Error(agent.problem.message);
      const session = await openSession('web1', agent.value);
      expect(session.ok && session.value.hello.facts.account?.uid).toBe(65534);
      if (session.ok) await session.value.close('done');
      expect(await outcome(await start({ become: { method, user: 'no-such-user' } }))).toBe(
        'become.unknown-user',
      );
    }
  });

  it.skipIf(!canBecome)('understands this machine’s sudo when it refuses', async () => {
    const asNobody: Runner = {
      start: async (command) =>
        localRunner.start(`exec setpriv --reuid=65534 --regid=65534 --clear-groups sh -c ${quote(command)}`, {
          pty: false,
        }),
    };
    const refused = (become: ConnectionSpec['become']) =>
      startAgent(asNobody, { host: 'here', become }, { bundle, startDeadline: 20_000 });
    const root = { method: 'sudo', user: 'root' } as const;
    expect(await outcome(await refused(root))).toBe('become.password-required');
    expect(await outcome(await refused({ ...root, password: new Secret('x') }))).toBe(
      'become.wrong-password',
    );
  });

  it.skipIf(!hasSshd)('gives doas the terminal it takes its password from', async () => {
    stub('doas', doasStub);
    const sshd = await startSshd(join(folder, 'sshd'), [`SetEnv PATH=${stubs}:/usr/bin:/bin`]);
    const { port, user, keyFile, hostKey } = sshd;
    const opened = await connectSsh({ ...hostSpec(host), port, user, keyFile, pinnedKeys: [hostKey] }, ssh);
    if (!opened.ok) throw new Error(opened.problem.message);
    const become = (password: string) =>
      ({ host: 'web1', become: { method: 'doas', user: 'root', password: new Secret(password) } }) as const;
    const agent = await startAgent(opened.value, become('right horse'), { bundle, startDeadline: 10_000 });
    expect(await outcome(agent)).toMatch(/^v/);
    const wrong = await startAgent(opened.value, become('wrong'), { bundle, startDeadline: 10_000 });
    expect(await outcome(wrong)).toBe('become.wrong-password');
    opened.value.end('done');
    await sshd.stop();
  });

  it('says that a terminal is needed where none can be given', async () => {
    const become = { method: 'doas', user: 'root', password: new Secret('x') } as const;
    const agent = await startAgent(localRunner, { host: 'here', become }, { bundle, startDeadline: 1000 });
    expect(agent).toMatchObject({ ok: false, problem: { code: 'become.tty-required' } });
  });
});
