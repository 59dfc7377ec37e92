import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Secret } from '../../agent/protocol/secret.ts';
import type { BecomeMethod, BecomeSpec, ConnectionSpec } from '../../inventory/connection-spec.ts';
import { ConnectionPool, poolOptions } from '../../reconciler/connection/pool.ts';
import { fleetAvailable, systemProgram } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import type { FleetHost } from '../fleet/host.ts';
import { createRepository } from '../helpers/git-repository.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import { runTowline } from '../helpers/towline-command.ts';

const fresh = temporaryDirectories();
const missing = fleetAvailable();
const shells = { fishy: '/usr/bin/fish', cshy: '/usr/bin/csh', nolog: '/usr/sbin/nologin' };
const hasShells = existsSync(shells.fishy) && existsSync(shells.cshy);
const hasDoas = systemProgram('doas') !== undefined;
const sudoDefaults =
  'Defaults env_reset\nDefaults secure_path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin"\n';

let fleet: Fleet;
let host: FleetHost;
let pool: ConnectionPool;

async function sudoers(text: string): Promise<void> {
  await host.writeFile('/etc/sudoers', `${sudoDefaults}${text}\n`, '0440');
}

function spec(user: string, become?: BecomeSpec): ConnectionSpec {
  const { name, address, port, hostKey } = host;
  const trust = { hostKeys: 'pinned', pinnedKeys: [hostKey] } as const;
  return { kind: 'ssh', host: name, address, port, user, keyFile: fleet.clientKeyFile, ...trust, become };
}

/** What comes of it: `user home` as the agent's own programs see it, or the code of the refusal. */
async function becoming(method: BecomeMethod, from: string, to: string, password?: string): Promise<string> {
  const secret = password === undefined ? undefined : new Secret(password);
  const opened = await pool.open(spec(from, { method, user: to, password: secret }));
  if (!opened.ok) {
    const said = JSON.stringify(opened.problem);
    expect(said).not.toMatch(/[0-9a-f]{32}/);
    if (password !== undefined && password.length > 8) expect(said).not.toContain(password);
    return opened.problem.code.startsWith('become.') ? opened.problem.code : said;
  }
  let output = '';
  const argv = ['sh', '-c', 'echo "$(id -un) $HOME"'];
  await opened.value.exec({ argv, timeout: 20, onOutput: (_, text) => (output += text) });
  return output.trim();
}

describe.skipIf(missing !== undefined)(
  `becoming another account on a host (${missing ?? 'real programs'})`,
  () => {
    beforeAll(async () => {
      fleet = await upFleet({ count: 1, names: ['web1'] });
      host = fleet.host('web1');
      for (const [name, shell] of Object.entries(hasShells ? shells : {})) {
        const script = `useradd -m -s ${shell} ${name} && echo ${name}:${name}-password | chpasswd && cp -r /home/deploy/.ssh /home/${name}/ && chown -R ${name} /home/${name}/.ssh`;
        expect(await host.exec(['sh', '-c', script])).toMatchObject({ status: 0 });
      }
    });
    afterAll(() => fleet?.down());
    beforeEach(async () => {
      pool = new ConnectionPool(poolOptions(() => {}));
      await sudoers(
        'deploy ALL=(ALL) NOPASSWD: ALL\nlimited ALL=(ALL) ALL\nfishy ALL=(ALL) ALL\ncshy ALL=(ALL) ALL',
      );
    });
    afterEach(() => pool.close('the test is over'));

    it('goes to root and to others by sudo, with a password and without', async () => {
      expect(await becoming('sudo', 'deploy', 'root')).toBe('root /root');
      expect(await becoming('sudo', 'deploy', 'limited')).toBe('limited /home/limited');
      expect(await becoming('sudo', 'deploy', 'nosudo', 'not asked for')).toBe('nosudo /home/nosudo');
      expect(await becoming('sudo', 'limited', 'root', 'limited-password')).toBe('root /root');
      expect(await becoming('sudo', 'limited', 'nosudo', 'limited-password')).toBe('nosudo /home/nosudo');
    });

    it('tells a wrong password, a missing one, no permission, no such account and no terminal apart', async () => {
      expect(await becoming('sudo', 'limited', 'root', 'a wrong password')).toBe('become.wrong-password');
      expect(await becoming('sudo', 'limited', 'root')).toBe('become.password-required');
      expect(await becoming('sudo', 'nosudo', 'root', 'nosudo-password')).toBe('become.not-permitted');
      expect(await becoming('sudo', 'deploy', 'nobodyhere')).toBe('become.unknown-user');
      await sudoers('Defaults requiretty\ndeploy ALL=(ALL) NOPASSWD: ALL');
      expect(await becoming('sudo', 'deploy', 'root')).toBe('become.tty-required');
      await sudoers('deploy ALL=(ALL NOPASSWD: ALL');
      expect(await becoming('sudo', 'deploy', 'root')).toBe('become.misconfigured');
    });

    it.each([
      ['use_pty', 'limited-password', 'root /root'],
      ['targetpw', 'root-password', 'root /root'],
      ['rootpw', 'root-password', 'root /root'],
      ['targetpw', 'limited-password', 'become.wrong-password'],
      ['insults', 'a wrong password', 'become.wrong-password'],
      ['passwd_tries=1, badpass_message="nein"', 'a wrong password', 'become.wrong-password'],
      ['lecture=always, passprompt="Kennwort?", passprompt_override', 'limited-password', 'root /root'],
    ])('copes with Defaults %s', async (defaults, password, outcome) => {
      await sudoers(`Defaults ${defaults}\nlimited ALL=(ALL) ALL`);
      expect(await becoming('sudo', 'limited', 'root', password)).toBe(outcome);
    });

    it('leaves no sudo ticket behind and takes none for a password', async () => {
      await sudoers('Defaults timestamp_type=global\nlimited ALL=(ALL) ALL');
      expect(await becoming('sudo', 'limited', 'root', 'limited-password')).toBe('root /root');
      expect(await becoming('sudo', 'limited', 'root')).toBe('become.password-required');
      expect(await becoming('sudo', 'limited', 'root', 'a wrong password')).toBe('become.wrong-password');
    });

    it('needs no more than the strict rules of the guide', async () => {
      await sudoers(rulesOfTheGuide('sudoers'));
      expect(await becoming('sudo', 'deploy', 'root')).toBe('root /root');
      expect(await becoming('sudo', 'deploy', 'limited')).toBe('become.password-required');
      const other = ['setpriv', '--reuid=deploy', '--regid=deploy', '--clear-groups', 'sudo', '-n', 'id'];
      expect((await host.exec(other)).stderr).toContain('a password is required');
      if (!hasDoas) return;
      await host.writeFile('/etc/doas.conf', `${rulesOfTheGuide('doas.conf')}\n`, '0400');
      expect(await becoming('doas', 'deploy', 'root')).toBe('root /root');
      expect(await becoming('doas', 'deploy', 'limited')).toBe('become.not-permitted');
    });

    it('goes to root and to others by su, which takes their password', async () => {
      expect(await becoming('su', 'deploy', 'root', 'root-password')).toBe('root /root');
      expect(await becoming('su', 'deploy', 'limited', 'limited-password')).toBe('limited /home/limited');
      expect(await becoming('su', 'root', 'limited')).toBe('limited /home/limited');
      expect(await becoming('su', 'deploy', 'root', 'a wrong password')).toBe('become.wrong-password');
      expect(await becoming('su', 'deploy', 'root')).toBe('become.password-required');
      expect(await becoming('su', 'deploy', 'nobodyhere', 'any password')).toBe('become.unknown-user');
    });

    it.skipIf(!hasDoas)('goes to root and to others by doas', async () => {
      await host.writeFile('/etc/doas.conf', 'permit nopass deploy\npermit limited\n', '0400');
      expect(await becoming('doas', 'deploy', 'root')).toBe('root /root');
      expect(await becoming('doas', 'deploy', 'limited', 'not asked for')).toBe('limited /home/limited');
      expect(await becoming('doas', 'limited', 'root', 'limited-password')).toBe('root /root');
      expect(await becoming('doas', 'limited', 'root', 'a wrong password')).toBe('become.wrong-password');
      expect(await becoming('doas', 'limited', 'root')).toBe('become.password-required');
      expect(await becoming('doas', 'nosudo', 'root', 'nosudo-password')).toBe('become.not-permitted');
      expect(await becoming('doas', 'deploy', 'nobodyhere')).toBe('become.unknown-user');
      await host.writeFile('/etc/doas.conf', 'permitt deploy\n', '0400');
      expect(await becoming('doas', 'deploy', 'nosudo')).toBe('become.misconfigured');
    });

    it.skipIf(!hasShells)('does not care what shell the accounts have', async () => {
      for (const from of ['fishy', 'cshy']) {
        expect(await becoming('sudo', from, 'root', `${from}-password`)).toBe('root /root');
        expect(await becoming('su', from, 'root', 'root-password')).toBe('root /root');
      }
      await host.exec(['sed', '-i', '/csh/d', '/etc/shells']);
      for (const to of ['fishy', 'cshy', 'nolog']) {
        expect(await becoming('sudo', 'deploy', to)).toBe(`${to} /home/${to}`);
        expect(await becoming('su', 'root', to)).toBe(`${to} /home/${to}`);
      }
      expect(await becoming('su', 'deploy', 'cshy', 'cshy-password')).toBe('cshy /home/cshy');
      expect(await becoming('su', 'deploy', 'nolog', 'nolog-password')).toBe('become.no-shell');
    });

    it('says that an account has expired, also where that looks like a new question', async () => {
      await host.exec(['chage', '-E', '0', 'nosudo']);
      expect(await becoming('su', 'deploy', 'nosudo', 'nosudo-password')).toBe('become.account-expired');
      await host.exec(['chage', '-E', '-1', '-d', '0', 'nosudo']);
      expect(await becoming('su', 'deploy', 'nosudo', 'nosudo-password')).toBe('become.account-expired');
      await host.exec(['chage', '-d', '19000', 'nosudo']);
    });

    it('keeps one agent for an account, whoever asks', async () => {
      const password = new Secret('limited-password');
      const become = { method: 'sudo', user: 'root', password } as const;
      const both = await Promise.all([
        pool.open(spec('limited', become)),
        pool.open(spec('limited', become)),
      ]);
      const again = await pool.open(spec('limited', { ...become, password: new Secret('limited-password') }));
      expect(new Set([...both, again].map((opened) => opened.ok && opened.value)).size).toBe(1);
      await expect.poll(() => host.agentPids()).toHaveLength(1);
      expect((await pool.open(spec('limited'))).ok).toBe(true);
      expect(host.agentPids()).toHaveLength(2);
    });

    it.skipIf(!hasDoas)(
      'shows a password to nobody: not in words, environments, files or output',
      async () => {
        await host.writeFile('/etc/doas.conf', 'permit limited\n', '0400');
        const secrets = { sudo: 'limited-password', doas: 'limited-password', su: 'root-password' };
        for (const [method, password] of Object.entries(secrets)) {
          const folder = fresh();
          const looked = await applyWhileLooking(folder, { method: method as BecomeMethod, password });
          expect(looked.status, looked.stdout + looked.stderr).toBe(0);
          expect(looked.programs).toContain(method);
          // The agent is called node until it can name itself.
          expect(looked.programs.some((name) => name === 'node' || name === 'towline-agent')).toBe(true);
          expect(looked.seen).toEqual([]);
          expect(looked.stdout + looked.stderr).not.toContain(password);
          expect(filesWith(join(folder, 'state'), password)).toEqual([]);
          expect(
            (await host.exec(['grep', '-rl', password, '/home', '/root', '/tmp', '/run', '/var/tmp'])).stdout,
          ).toBe('');
        }
      },
    );
  },
);

interface Looked {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Names of the programs that ran on the host meanwhile. */
  readonly programs: readonly string[];
  /** Where a process had the password among its words or in its environment. */
  readonly seen: readonly string[];
}

/** Applies a role as root, with the password from the defaults, and looks at every process of the machine all the while. */
async function applyWhileLooking(
  home: string,
  { method, password }: { readonly method: BecomeMethod; readonly password: string },
): Promise<Looked> {
  const repository = join(home, 'policy');
  createRepository(repository, {
    'towline.toml': '[environments.lab]\nbranch = "main"\ninventory = "inventory.toml"\n',
    'inventory.toml': fleet.inventoryToml({ user: 'limited' }),
    'roles/motd/role.ts': `import { defineRole, file } from 'towline';
export default defineRole({ connect: { become: 'root' }, resources: () => [file('/root/${method}', { content: 'x' })] });`,
  });
  mkdirSync(join(home, '.towline'));
  writeFileSync(join(home, 'secret'), `${password}\n`, { mode: 0o600 });
  writeFileSync(
    join(home, '.towline/defaults.toml'),
    `[become]\nmethod = "${method}"\npassword_file = "~/secret"\n[log]\nfile = "~/state/log"\nlevel = "trace"\n`,
  );
  mkdirSync(join(home, 'state'));
  const applying = runTowline(['apply', '-vv', '--json'], { directory: repository, home });
  let isOver = false;
  void applying.then(() => {
    isOver = true;
  });
  const programs = new Set<string>();
  const seen = new Set<string>();
  while (!isOver) {
    for (const { name } of host.processes()) programs.add(name);
    for (const place of processesWith(password)) seen.add(place);
    await pause(20);
  }
  return { ...(await applying), programs: [...programs], seen: [...seen] };
}

function processesWith(text: string): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) =>
    ['cmdline', 'environ']
      .filter((part) => holds(`/proc/${pid}/${part}`, text))
      .map((part) => `${pid}/${part}`),
  );
}

function filesWith(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((path) => statSync(path).isFile() && holds(path, text));
}

function holds(path: string, text: string): boolean {
  try {
    return readFileSync(path).includes(text);
  } catch {
    return false;
  }
}

/** The rules that docs/guides/become.md gives, as they stand there. */
function rulesOfTheGuide(kind: 'sudoers' | 'doas.conf'): string {
  const guide = readFileSync(join(import.meta.dirname, '../../docs/guides/become.md'), 'utf8');
  const found = new RegExp(`^\`\`\`${kind.replace('.', '\\.')}\n([\\s\\S]*?)\n\`\`\`$`, 'm').exec(guide);
  if (found === null) throw new Error(`the guide has no example of ${kind}`);
  return found[1] ?? '';
}
