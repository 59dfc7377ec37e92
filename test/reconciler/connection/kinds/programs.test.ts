import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Problem } from '../../../../agent/protocol/problem.ts';
import { type ContainerKind, containerKinds } from '../../../../inventory/connection-spec.ts';
import { connectionProblem } from '../../../../reconciler/base/problem-codes/connection.ts';
import { containerRunner } from '../../../../reconciler/connection/container-runner.ts';
import { containerPrograms, explainContainer } from '../../../../reconciler/connection/kinds/programs.ts';
import { localRunner } from '../../../../reconciler/connection/local.ts';
import { ran, runnerContract } from '../../../contract/transport.ts';
import { containerStubs, type Stubs } from '../../../helpers/container-stub.ts';

const path = process.env.PATH ?? '';
let folder = '';
let stubs: Stubs;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kinds-'));
  stubs = containerStubs(join(folder, 'bin'));
  process.env.PATH = `${stubs.folder}${delimiter}${path}`;
});
afterAll(() => {
  process.env.PATH = path;
  rmSync(folder, { recursive: true });
});

const awkward = 'printf "<%s>" "it\'s" \'a  b\' \'$HOME\' "!"; exit 3';

describe('the program of a kind of container', () => {
  it.each<[ContainerKind, string, string | undefined, readonly string[]]>([
    ['docker', 'web', undefined, ['docker', 'exec', '--interactive', 'web', 'sh', '-c', awkward]],
    [
      'docker',
      'web',
      'app',
      ['docker', 'exec', '--interactive', '--user', 'app', 'web', 'sh', '-c', awkward],
    ],
    [
      'podman',
      'web',
      'app',
      ['podman', 'exec', '--interactive', '--user', 'app', 'web', 'sh', '-c', awkward],
    ],
    ['kubectl', 'web-0', undefined, ['kubectl', 'exec', '--stdin', 'web-0', '--', 'sh', '-c', awkward]],
    [
      'kubectl',
      'shop/web-0/app@admin@prod',
      undefined,
      [
        'kubectl',
        '--context=admin@prod',
        '--namespace=shop',
        'exec',
        '--stdin',
        '--container=app',
        'web-0',
        '--',
        'sh',
        '-c',
        awkward,
      ],
    ],
    ['lxc', 'web', undefined, ['lxc-attach', '--clear-env', '--name=web', '--', 'sh', '-c', awkward]],
    [
      'lxd',
      'far:web',
      undefined,
      ['lxc', 'exec', '--mode=non-interactive', 'far:web', '--', 'sh', '-c', awkward],
    ],
    ['jail', '7', undefined, ['jexec', '-l', '7', 'sh', '-c', awkward]],
    ['jail', 'web', 'app', ['jexec', '-l', '-U', 'app', 'web', 'sh', '-c', awkward]],
  ])(
    'by %s for %s as %s gets these words, and the command as it is',
    async (kind, address, account, words) => {
      stubs.lay(words[0] ?? '');
      const { stdout, exit } = await ran(containerRunner(localRunner, kind, { address, account }), awkward);
      expect(stubs.words()).toEqual(words);
      expect(stdout).toBe("<it's><a  b><$HOME><!>");
      expect(exit).toMatchObject({ status: 3, signal: null });
    },
  );

  it('by machinectl is systemd-run, whose dollar signs are doubled', async () => {
    // The service manager makes one dollar sign of two.
    stubs.lay('systemd-run', 'for last; do :; done; exec sh -c "$(printf %s "$last" | sed "s/[$][$]/$/g")"');
    const target = { address: 'web', account: 'app' };
    const { stdout } = await ran(
      containerRunner(localRunner, 'machinectl', target),
      'x=y; echo "$x$$x" | cut -c1',
    );
    expect(stubs.words()).toEqual([
      'systemd-run',
      '--machine=web',
      '--quiet',
      '--collect',
      '--pipe',
      '--wait',
      '--uid=app',
      '--',
      '/bin/sh',
      '-c',
      'x=y; echo "$$x$$$$x" | cut -c1',
    ]);
    expect(stdout).toBe('y\n');
  });

  it.each([
    [
      'docker:web',
      'docker',
      ['docker', 'inspect', '--type', 'container', '--format', '{{.State.Pid}}', 'web'],
    ],
    [
      'podman:web',
      'podman',
      ['podman', 'inspect', '--type', 'container', '--format', '{{.State.Pid}}', 'web'],
    ],
    ['lxc:web', 'lxc-info', ['lxc-info', '--name', 'web', '--pid', '--no-humanize']],
    ['machinectl:web', 'machinectl', ['machinectl', 'show', 'web', '--property=Leader', '--value']],
  ])('by setns asks for the first process of %s', async (address, program, words) => {
    stubs.lay(program, 'echo 4711; exit');
    const asked = containerPrograms.setns.words({ address, account: undefined }, 'exit 0');
    const shown = [...asked];
    shown[2] = (asked[2] ?? '').replace(/exec env .*$/, 'echo $p');
    const { stdout } = await ran(localRunner, shown.map((word) => `'${word}'`).join(' '));
    expect(stubs.words()).toEqual(words);
    expect(stdout).toBe('4711\n');
    stubs.lay(program, 'echo 0; exit');
    const stopped = await ran(
      containerRunner(localRunner, 'setns', { address, account: undefined }),
      'exit 0',
    );
    expect([stopped.stderr, stopped.exit.status]).toEqual(['towline: web is not running\n', 3]);
  });

  it('of lxd is incus where there is no lxc', async () => {
    rmSync(join(stubs.folder, 'lxc'), { force: true });
    stubs.lay('incus');
    await ran(containerRunner(localRunner, 'lxd', { address: 'web', account: undefined }), 'true');
    expect(stubs.words().slice(0, 4)).toEqual(['incus', 'exec', '--mode=non-interactive', 'web']);
    rmSync(join(stubs.folder, 'incus'));
    const none = await ran(
      containerRunner(localRunner, 'lxd', { address: 'web', account: undefined }),
      'true',
    );
    expect([none.stderr, none.exit.status]).toEqual(['towline: there is neither lxc nor incus\n', 127]);
  });

  it('gives no terminal', async () => {
    const runner = containerRunner(localRunner, 'docker', { address: 'web', account: undefined });
    const started = await runner.start('true', { pty: true });
    expect(started).toMatchObject({ ok: false, problem: { code: 'become.tty-required' } });
  });
});

describe('commands in a container', () => {
  runnerContract(async () => {
    stubs.lay('docker');
    return containerRunner(localRunner, 'docker', { address: 'web', account: undefined });
  });
});

/** What bootstrap makes of a program that said something and ended. */
function ended(
  said: string,
  status = 1,
  code: 'line.start-failed' | 'become.unavailable' = 'line.start-failed',
): Problem {
  return connectionProblem(code, `before the agent’s first word: exit status ${status}`, {
    where: { host: 'web1' },
    lines: said.split('\n'),
  });
}

describe('the refusal of a program', () => {
  it.each<[ContainerKind, string, string]>([
    ['docker', 'Error response from daemon: No such container: web', 'container.missing'],
    ['docker', 'Error response from daemon: container 12ab is not running', 'container.not-running'],
    [
      'docker',
      'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock',
      'container.not-permitted',
    ],
    [
      'docker',
      'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?',
      'container.unreachable',
    ],
    ['docker', 'unable to find user app: no matching entries in passwd file', 'become.unknown-user'],
    [
      'docker',
      'OCI runtime exec failed: exec failed: unable to start container process: exec: "sh": executable file not found in $PATH',
      'container.no-shell',
    ],
    ['podman', 'Error: no container with name or ID "web" found: no such container', 'container.missing'],
    [
      'podman',
      'Error: can only create exec sessions on running containers: container state improper',
      'container.not-running',
    ],
    [
      'podman',
      'Error: unable to find user nosuch: no matching entries in passwd file',
      'become.unknown-user',
    ],
    [
      'podman',
      'Error: crun: executable file `sh` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found',
      'container.no-shell',
    ],
    ['kubectl', 'Error from server (NotFound): pods "web" not found', 'container.missing'],
    [
      'kubectl',
      'Error from server (BadRequest): container app is not valid for pod web',
      'container.missing',
    ],
    ['kubectl', 'error: unable to upgrade connection: container not found ("app")', 'container.not-running'],
    [
      'kubectl',
      'Error from server (Forbidden): pods "web" is forbidden: User "ci" cannot create resource "pods/exec"',
      'container.not-permitted',
    ],
    [
      'kubectl',
      'The connection to the server localhost:8080 was refused - did you specify the right host or port?',
      'container.unreachable',
    ],
    ['kubectl', 'error: context "prod" does not exist', 'container.unreachable'],
    [
      'lxc',
      'lxc-attach: web: ../src/lxc/attach.c: get_attach_context: 406 No such file - Failed to get init pid',
      'container.not-running',
    ],
    ['lxc', 'Error: container web is not defined', 'container.missing'],
    ['lxc', 'Insufficent privileges to control web', 'container.not-permitted'],
    [
      'lxd',
      'Error: Failed to fetch instance "web" in project "default": Instance not found',
      'container.missing',
    ],
    ['lxd', 'Error: Instance is not running', 'container.not-running'],
    ['lxd', 'towline: there is neither lxc nor incus', 'container.no-program'],
    ['machinectl', 'Failed to start transient service unit: Access denied', 'container.not-permitted'],
    ['machinectl', 'Failed to connect to bus: Host is down', 'container.missing'],
    ['machinectl', 'Failed to connect to bus: No such file or directory', 'container.unreachable'],
    ['setns', 'nsenter: cannot open /proc/4711/ns/user: No such file or directory', 'container.missing'],
    [
      'setns',
      "nsenter: reassociate to namespace 'ns/net' failed: Operation not permitted",
      'container.not-permitted',
    ],
    ['setns', 'towline: web is not running', 'container.not-running'],
    ['setns', "Could not get path to machine: No machine 'web' known", 'container.missing'],
    ['setns', 'nsenter: failed to execute sh: No such file or directory', 'container.no-shell'],
    ['jail', 'jexec: jail "web" not found', 'container.missing'],
    ['jail', 'jexec: jail_attach(7): Operation not permitted', 'container.not-permitted'],
    [
      'chroot',
      "chroot: cannot change root directory to '/nowhere': No such file or directory",
      'container.missing',
    ],
    [
      'chroot',
      "chroot: cannot change root directory to '/srv': Operation not permitted",
      'container.not-permitted',
    ],
    ['chroot', "chroot: failed to run command 'sh': No such file or directory", 'container.no-shell'],
  ])('%s saying “%s” is %s', (kind, said, code) => {
    const problem = explainContainer(kind, 'web', ended(said));
    expect(problem).toMatchObject({ code, where: { host: 'web1' }, lines: [said] });
    expect(problem.message).toBe(`${kind} web: ${said}`);
  });

  it.each<[ContainerKind, string]>([
    ['docker', '/bin/sh: 1: exec: docker: not found'],
    ['kubectl', 'sh: kubectl: command not found'],
    ['setns', 'env: ‘nsenter’: No such file or directory'],
    ['setns', 'sh: 1: lxc-info: not found'],
    ['jail', 'exec: jexec: not found'],
  ])('by %s names the program that is missing, also where an account was to be taken', (kind, said) => {
    for (const code of ['line.start-failed', 'become.unavailable'] as const) {
      expect(explainContainer(kind, 'web', ended(said, 127, code)).code).toBe('container.no-program');
    }
  });

  it('is not looked for in other failures, nor where nothing known was said', () => {
    const late = connectionProblem('line.start-timeout', 'No such container', { where: { host: 'web1' } });
    expect(explainContainer('docker', 'web', late)).toBe(late);
    const strange = ended('something else');
    for (const kind of containerKinds) expect(explainContainer(kind, 'web', strange)).toBe(strange);
  });

  it('tells podman’s and systemd’s own remedy', () => {
    const podman = explainContainer('podman', 'web', ended('Error: no such container web'));
    expect(podman.hint).toContain('become the one that owns it');
    const machine = explainContainer(
      'machinectl',
      'web',
      ended('Failed to connect to bus: No such file or directory'),
    );
    expect(machine.hint).toContain('setns');
  });

  it('knows by systemd’s own exit statuses what a service lacked that could not begin', () => {
    const codes = [217, 203, 1].map(
      (status) => explainContainer('machinectl', 'web', ended('', status)).code,
    );
    expect(codes).toEqual(['become.unknown-user', 'container.no-shell', 'line.start-failed']);
  });
});
