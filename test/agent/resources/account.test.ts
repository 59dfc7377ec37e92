import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authorizedKeyResource } from '../../../agent/resources/authorized-key.ts';
import { groupResource } from '../../../agent/resources/group.ts';
import { userResource } from '../../../agent/resources/user.ts';
import type { System } from '../../../agent/system/system.ts';
import { type OverlayRoot, overlayUnavailable, startOverlayRoot } from '../../helpers/overlay-root.ts';
import { acts, applying, noFacts } from '../test-host.ts';
import { asAgent, dryRunAfter, planned, problemFrom } from './as-agent.ts';

const unavailable = overlayUnavailable('useradd', 'groupadd', 'chpasswd');
const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBhY3Ru5';
const other = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOtherKey bob@home';
const hash = '$6$salt$abcdefghijklmnopqrstuvwxyz0123456789';

describe.skipIf(unavailable !== undefined)('accounts on a root of their own', () => {
  let root: OverlayRoot;
  let system: System;
  beforeAll(async () => {
    root = await startOverlayRoot();
    system = root.system(noFacts);
  });
  afterAll(() => root.stop());

  const user = (name: string, more: object = {}) => ({ user: name, state: 'present' as const, ...more });
  const entry = (database: string, name: string) =>
    readFileSync(root.path('etc', database), 'utf8')
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.split(':');

  describe('group', () => {
    it('is made, changes its id, is removed, and is then left alone', async () => {
      const wanted = { group: 'towers', state: 'present' as const, gid: 4100 };
      expect(await asAgent(system, groupResource, wanted)).toMatchObject({
        acts: ['create group'],
        left: [],
      });
      expect(entry('group', 'towers')?.[2]).toBe('4100');
      expect(await asAgent(system, groupResource, wanted)).toMatchObject({ acts: [] });
      const moved = await asAgent(system, groupResource, { ...wanted, gid: 4101 });
      expect(moved).toMatchObject({ announced: [{ property: 'gid', from: '4100', to: '4101' }], left: [] });
      expect(await groupResource.observe?.(system, wanted)).toEqual({ gid: 4101 });
      const gone = { group: 'towers', state: 'absent' as const };
      expect(await asAgent(system, groupResource, gone)).toMatchObject({ acts: ['remove group'], left: [] });
      expect(await asAgent(system, groupResource, gone)).toMatchObject({ acts: [] });
      expect(await groupResource.observe?.(system, wanted)).toEqual({ gid: null });
    });

    it('is made as a system group below the ordinary ids', async () => {
      await asAgent(system, groupResource, { group: 'towsys', state: 'present', system: true });
      expect(Number(entry('group', 'towsys')?.[2])).toBeLessThan(1000);
    });

    it('refuses an id that another group has before anything is done', async () => {
      const check = groupResource.check(system, { group: 'towx', state: 'present', gid: 0 }, applying);
      expect(await problemFrom(check)).toMatchObject({
        code: 'account.conflict',
        message: expect.stringContaining('root has it'),
      });
    });

    it('fails with the words of groupdel when it is somebody’s primary group', async () => {
      const problem = await problemFrom(asAgent(system, groupResource, { group: 'daemon', state: 'absent' }));
      expect(problem.code).toBe('account.failed');
      expect(problem.lines?.join(' ')).toContain('daemon');
    });
  });

  describe('user', () => {
    it('is made with everything it asks for and needs nothing more afterwards', async () => {
      await asAgent(system, groupResource, { group: 'crew', state: 'present' });
      const wanted = user('ada', {
        uid: 4200,
        group: 'crew',
        groups: ['games', 'audio'],
        comment: 'Ada L',
        home: '/home/ada',
        createHome: true,
        shell: '/bin/sh',
        passwordHash: hash,
      });
      expect(await asAgent(system, userResource, wanted)).toMatchObject({ acts: ['create user'], left: [] });
      expect(entry('passwd', 'ada')?.slice(2)).toEqual([
        '4200',
        entry('group', 'crew')?.[2],
        'Ada L',
        '/home/ada',
        '/bin/sh',
      ]);
      expect(entry('shadow', 'ada')?.[1]).toBe(hash);
      expect(statSync(root.path('home/ada')).uid).toBe(4200);
      expect(await asAgent(system, userResource, wanted)).toMatchObject({ acts: [] });
      expect(await userResource.observe?.(system, wanted)).toMatchObject({ uid: 4200, home: '/home/ada' });
    });

    it('compares only what is given', async () => {
      expect(await asAgent(system, userResource, user('ada'))).toMatchObject({ acts: [] });
    });

    it('changes each property it is given, the home with its files', async () => {
      writeFileSync(root.path('home/ada/note'), 'kept');
      const wanted = user('ada', {
        comment: 'Countess',
        shell: '/bin/bash',
        home: '/home/countess',
        createHome: true,
        uid: 4201,
        group: 'games',
      });
      const { acts: done, left } = await asAgent(system, userResource, wanted);
      expect(done).toEqual(['update uid', 'update group', 'update comment', 'update shell', 'update home']);
      expect(left).toEqual([]);
      expect(readFileSync(root.path('home/countess/note'), 'utf8')).toBe('kept');
    });

    it('has exactly the supplementary groups, or at least those with appendGroups', async () => {
      const exact = await asAgent(system, userResource, user('ada', { groups: ['audio', 'video'] }));
      expect(exact).toMatchObject({
        announced: [{ property: 'groups', from: 'audio', to: 'audio,video' }],
        left: [],
      });
      const append = { groups: ['cdrom'], appendGroups: true };
      expect(await asAgent(system, userResource, user('ada', append))).toMatchObject({
        acts: ['update groups'],
        left: [],
      });
      expect(root.run('id', '-nG', 'ada').trim().split(' ').sort()).toEqual([
        'audio',
        'cdrom',
        'games',
        'video',
      ]);
      expect(await asAgent(system, userResource, user('ada', append))).toMatchObject({ acts: [] });
      expect(await asAgent(system, userResource, user('ada', { groups: [] }))).toMatchObject({ left: [] });
      expect(root.run('id', '-nG', 'ada').trim()).toBe('games');
    });

    it('locks and unlocks a password and keeps its hash', async () => {
      expect(await asAgent(system, userResource, user('ada', { locked: true }))).toMatchObject({
        acts: ['update locked'],
        left: [],
      });
      expect(entry('shadow', 'ada')?.[1]).toBe(`!${hash}`);
      expect(await asAgent(system, userResource, user('ada', { passwordHash: hash }))).toMatchObject({
        acts: [],
      });
      await asAgent(system, userResource, user('ada', { passwordHash: `${hash}2` }));
      expect(entry('shadow', 'ada')?.[1]).toBe(`!${hash}2`);
      expect(await asAgent(system, userResource, user('ada', { locked: false }))).toMatchObject({ left: [] });
      expect(entry('shadow', 'ada')?.[1]).toBe(`${hash}2`);
    });

    it('never shows a password hash in what it announces', async () => {
      const { announced } = await asAgent(
        system,
        userResource,
        user('ada', { passwordHash: hash, locked: true }),
      );
      expect(acts(announced)).toEqual(['update password', 'update locked']);
      expect(JSON.stringify(announced)).not.toContain('salt');
    });

    it('refuses to unlock an account without a password, and a hash that is none', async () => {
      const unlock = userResource.check(system, user('grace', { locked: false }), applying);
      expect(await problemFrom(unlock)).toMatchObject({
        code: 'account.no-password',
        message: expect.stringContaining('no password'),
      });
      const broken = userResource.check(system, user('grace', { passwordHash: 'a:b' }), applying);
      expect((await problemFrom(broken)).message).toContain('not a crypt(3) hash');
    });

    it('makes a home that is missing with the skeleton, owned by the user', async () => {
      await asAgent(system, userResource, user('hop', { home: '/home/hop' }));
      expect(existsSync(root.path('home/hop'))).toBe(false);
      writeFileSync(root.path('etc/skel/.towline'), 'hello');
      const wanted = user('hop', { createHome: true });
      expect(await asAgent(system, userResource, wanted)).toMatchObject({ acts: ['create home'], left: [] });
      const uid = Number(entry('passwd', 'hop')?.[2]);
      expect(statSync(root.path('home/hop')).uid).toBe(uid);
      expect(statSync(root.path('home/hop/.towline')).uid).toBe(uid);
    });

    it('joins the group of its own name when that exists already', async () => {
      await asAgent(system, groupResource, { group: 'lin', state: 'present', gid: 4300 });
      expect(await asAgent(system, userResource, user('lin', { system: true }))).toMatchObject({ left: [] });
      expect(entry('passwd', 'lin')?.[3]).toBe('4300');
      expect(Number(entry('passwd', 'lin')?.[2])).toBeLessThan(1000);
    });

    it('refuses an id that is taken and groups that neither exist nor are pending', async () => {
      const taken = userResource.check(system, user('new', { uid: 0 }), applying);
      expect((await problemFrom(taken)).code).toBe('account.conflict');
      const wanted = user('new', { groups: ['nowhere'] });
      expect((await problemFrom(userResource.check(system, wanted, applying))).message).toContain('nowhere');
      const pending = dryRunAfter(planned('group', { group: 'nowhere', state: 'present' }));
      expect(await userResource.check(system, wanted, pending)).toEqual([
        { action: 'create', property: 'user' },
      ]);
    });

    it('says that it cannot compare a password where the shadow file cannot be read', async () => {
      root.run('sh', '-c', 'mv /etc/shadow /etc/shadow.away && mkdir /etc/shadow');
      const problem = await problemFrom(
        userResource.check(system, user('ada', { passwordHash: hash }), applying),
      );
      root.run('sh', '-c', 'rmdir /etc/shadow && mv /etc/shadow.away /etc/shadow');
      expect(problem).toMatchObject({ code: 'account.no-shadow', cause: { code: 'file.wrong-type' } });
      expect(problem.message).toContain('/etc/shadow');
      expect(JSON.stringify(problem)).not.toContain('salt');
    });

    it('is removed with its home when asked', async () => {
      const gone = { user: 'hop', state: 'absent' as const, removeHome: true };
      expect(await asAgent(system, userResource, gone)).toMatchObject({ acts: ['remove user'], left: [] });
      expect(existsSync(root.path('home/hop'))).toBe(false);
      expect(await asAgent(system, userResource, gone)).toMatchObject({ acts: [] });
      expect(await userResource.observe?.(system, user('hop'))).toEqual({});
    });
  });

  describe('authorizedKey', () => {
    const wanted = (more: object = {}) => ({
      user: 'key',
      state: 'present' as const,
      key: `${key} me`,
      ...more,
    });
    const keys = () => readFileSync(root.path('home/key/.ssh/authorized_keys'), 'utf8');

    it('is put into a new file that only the user can read', async () => {
      await asAgent(system, userResource, user('key', { home: '/home/key', createHome: true, uid: 4400 }));
      expect(await asAgent(system, authorizedKeyResource, wanted())).toMatchObject({
        acts: ['create key'],
        left: [],
      });
      expect(keys()).toBe(`${key} me\n`);
      const modes = ['.ssh', '.ssh/authorized_keys'].map((name) => statSync(root.path('home/key', name)));
      expect(modes.map(({ mode, uid }) => [mode & 0o777, uid])).toEqual([
        [0o700, 4400],
        [0o600, 4400],
      ]);
      expect(await asAgent(system, authorizedKeyResource, wanted())).toMatchObject({ acts: [] });
    });

    it('takes new options, and drops other keys when exclusive', async () => {
      await asAgent(system, authorizedKeyResource, wanted({ key: other }));
      const strict = wanted({ options: 'no-pty', exclusive: true });
      expect(await asAgent(system, authorizedKeyResource, strict)).toMatchObject({
        acts: ['remove other keys'],
        left: [],
      });
      expect(keys()).toBe(`no-pty ${key} me\n`);
      const loose = await asAgent(system, authorizedKeyResource, wanted({ options: '' }));
      expect(loose).toMatchObject({ acts: ['update key'], left: [] });
    });

    it('must be a public key', async () => {
      const check = authorizedKeyResource.check(system, wanted({ key: 'nonsense AAAA' }), applying);
      expect((await problemFrom(check)).message).toContain('not a public key');
    });

    it('is taken out', async () => {
      const gone = wanted({ state: 'absent' });
      expect(await asAgent(system, authorizedKeyResource, gone)).toMatchObject({
        acts: ['remove key'],
        left: [],
      });
      expect(keys()).toBe('');
      expect(await asAgent(system, authorizedKeyResource, gone)).toMatchObject({ acts: [] });
    });

    it('keeps a file of root in a directory of root as it is', async () => {
      mkdirSync(root.path('etc/ssh/keys'), { recursive: true });
      writeFileSync(root.path('etc/ssh/keys/key'), '', { mode: 0o644 });
      const done = await asAgent(system, authorizedKeyResource, wanted({ path: '/etc/ssh/keys/key' }));
      expect(done).toMatchObject({ left: [] });
      expect(statSync(root.path('etc/ssh/keys/key'))).toMatchObject({ uid: 0, mode: 0o100644 });
    });

    it('refuses a linked .ssh, a linked file and what another account owns', async () => {
      const trap = user('trap', { home: '/home/trap', createHome: true, uid: 4500 });
      await asAgent(system, userResource, trap);
      const check = () =>
        problemFrom(authorizedKeyResource.check(system, wanted({ user: 'trap' }), applying));
      symlinkSync('/etc', root.path('home/trap/.ssh'));
      expect(await check()).toMatchObject({
        code: 'account.unsafe-keys',
        message: expect.stringContaining('.ssh is not a plain directory'),
      });
      root.run('rm', '/home/trap/.ssh');
      mkdirSync(root.path('home/trap/.ssh'));
      chownSync(root.path('home/trap/.ssh'), 4400, 4400);
      expect((await check()).message).toContain('belongs to another account');
      chownSync(root.path('home/trap/.ssh'), 4500, 4500);
      writeFileSync(root.path('home/trap/.ssh/authorized_keys'), 'root’s own');
      expect((await check()).message).toContain('belongs to another account');
      root.run('ln', '-sf', '/etc/shadow', '/home/trap/.ssh/authorized_keys');
      expect((await check()).message).toContain('is not a plain file');
    });

    it('needs its user, now or pending', async () => {
      const check = (pending = applying) =>
        authorizedKeyResource.check(system, wanted({ user: 'later' }), pending);
      expect((await problemFrom(check())).code).toBe('file.unknown-owner');
      expect(await check(dryRunAfter(planned('user', user('later'))))).toEqual([
        { action: 'create', property: 'key' },
      ]);
      const apply = authorizedKeyResource.apply(system, wanted({ user: 'later' }), [], applying);
      expect((await problemFrom(apply)).code).toBe('file.unknown-owner');
      const gone = wanted({ user: 'later', state: 'absent' });
      expect(await authorizedKeyResource.check(system, gone, applying)).toEqual([]);
    });
  });
});
