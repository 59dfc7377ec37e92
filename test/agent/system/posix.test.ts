import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf, type TestHost, testHost } from '../test-host.ts';

let host: TestHost;
beforeEach(() => {
  host = testHost();
});
afterEach(() => host.remove());

const isRoot = process.getuid?.() === 0;

describe('SystemReader', () => {
  it('tells what is at a path without following it, and undefined where nothing is', async () => {
    writeFileSync(host.path('f'), 'abc');
    chmodSync(host.path('f'), 0o4711);
    utimesSync(host.path('f'), 7, 7);
    mkdirSync(host.path('d'));
    symlinkSync('f', host.path('l'));
    execFileSync('mkfifo', [host.path('p')]);
    expect(await host.reader.stat(host.path('f'))).toEqual({
      type: 'file',
      size: 3,
      mode: '4711',
      uid: process.getuid?.(),
      gid: process.getgid?.(),
      modifiedMs: 7000,
    });
    const types = ['d', 'l', 'p'].map(async (name) => (await host.reader.stat(host.path(name)))?.type);
    expect(await Promise.all(types)).toEqual(['directory', 'link', 'other']);
    expect(await host.reader.stat(host.path('none'))).toBe(undefined);
    expect(await host.reader.stat(host.path('f', 'below'))).toBe(undefined);
  });

  it('reads whole files up to a limit, and never a pipe or directory', async () => {
    writeFileSync(host.path('f'), 'abc');
    symlinkSync('f', host.path('l'));
    execFileSync('mkfifo', [host.path('p')]);
    expect((await host.reader.readFile(host.path('l')))?.toString()).toBe('abc');
    expect(await host.reader.readFile(host.path('none'))).toBe(undefined);
    expect(await codeOf(host.reader.readFile(host.path('f'), 2))).toBe('file.too-large');
    expect(await codeOf(host.reader.readFile(host.path('p')))).toBe('file.wrong-type');
    expect(await codeOf(host.reader.sha256(host.root))).toBe('file.wrong-type');
    expect((await host.reader.readFile('/proc/uptime'))?.length).toBeGreaterThan(3);
  });

  it('hashes large files, lists names in order and reads links', async () => {
    const bytes = Buffer.alloc(700_001, 'xyz');
    writeFileSync(host.path('b'), bytes);
    writeFileSync(host.path('a'), '');
    symlinkSync('some where', host.path('l'));
    expect(await host.reader.sha256(host.path('b'))).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(await host.reader.sha256(host.path('none'))).toBe(undefined);
    expect(await host.reader.list(host.root)).toEqual(['a', 'b', 'l']);
    expect(await host.reader.list(host.path('none'))).toEqual([]);
    expect(await codeOf(host.reader.list(host.path('a')))).toBe('file.wrong-type');
    expect(await host.reader.readLink(host.path('l'))).toBe('some where');
    expect(await codeOf(host.reader.readLink(host.path('a')))).toBe('file.unreadable');
  });

  it('reads once a run, again after a failure or when told to forget', async () => {
    let reads = 0;
    const read = async () => ++reads;
    await expect(host.reader.once('k', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await Promise.all([host.system.once('k', read), host.system.once('k', read)])).toEqual([1, 1]);
    host.system.forget('k');
    expect(await host.system.once('k', read)).toBe(2);
  });

  it('passes on what a resource reports', () => {
    const said: string[] = [];
    const other = testHost({ onOutput: (stream, text) => said.push(`${stream} ${text}`) });
    other.reader.report('stderr', 'look');
    expect(said).toEqual(['stderr look']);
    host.reader.report('stdout', 'unheard');
    other.remove();
  });
});

describe('System', () => {
  it('replaces with text, bytes or pulled content and keeps mode and owner that are not given', async () => {
    const path = host.path('f');
    writeFileSync(path, 'old');
    chmodSync(path, 0o4750);
    await host.system.replaceFile(path, { text: 'grün' }, {});
    expect(readFileSync(path, 'utf8')).toBe('grün');
    expect((await host.reader.stat(path))?.mode).toBe('4750');
    await host.system.replaceFile(path, { bytes: Buffer.from([0xff]) }, { mode: '0600' });
    expect(readFileSync(path)).toEqual(Buffer.from([0xff]));
    const large = 'z'.repeat(123_456);
    await host.system.replaceFile(path, { content: host.contents.put(large, false) }, {});
    expect(readFileSync(path, 'utf8')).toBe(large);
    expect((await host.reader.stat(path))?.mode).toBe('0600');
    expect(readdirSync(host.root)).toEqual(['f']);
  });

  it('knows the hash of a large content it has just written, until the file changes', async () => {
    const memory = new Map<string, Promise<unknown>>();
    const knowing = testHost({ memory });
    const path = knowing.path('f');
    const large = Buffer.alloc(300_000, 'large');
    const content = knowing.contents.put(large, false);
    await knowing.system.replaceFile(path, { content }, {});
    expect(await knowing.reader.sha256(path)).toBe(content.sha256);
    for (const [key, value] of memory) {
      if ((await value) === content.sha256) memory.set(key, Promise.resolve('not read again'));
    }
    expect(await knowing.reader.sha256(path)).toBe('not read again');
    const other = Buffer.alloc(300_000, 'other');
    writeFileSync(path, other);
    utimesSync(path, 7, 7);
    expect(await knowing.reader.sha256(path)).toBe(createHash('sha256').update(other).digest('hex'));
    knowing.remove();
  });

  it('refuses to replace a link or directory and leaves no temporary behind', async () => {
    symlinkSync('elsewhere', host.path('l'));
    mkdirSync(host.path('d'));
    for (const name of ['l', 'd']) {
      expect(await codeOf(host.system.replaceFile(host.path(name), { text: 'x' }, {}))).toBe(
        'file.wrong-type',
      );
    }
    const missing = host.system.replaceFile(host.path('no', 'f'), { text: 'x' }, {});
    expect(await codeOf(missing)).toBe('file.parent-missing');
    expect(readdirSync(host.root)).toEqual(['d', 'l']);
  });

  it('leaves no temporary when the validate program is missing', async () => {
    const act = host.system.replaceFile(
      host.path('f'),
      { text: 'x' },
      { validate: ['no-such-checker', '%s'] },
    );
    expect(await codeOf(act)).toBe('command.not-found');
    expect(readdirSync(host.root)).toEqual([]);
  });

  it('removes what a killed predecessor left, and nothing that looks alike', async () => {
    const dead = Number(execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }));
    const mine = `.towline-${process.pid}-0123456789ab`;
    for (const name of [`.towline-${dead}-0123456789ab`, mine, '.towline-x', '.towline-1-zz']) {
      writeFileSync(host.path(name), '');
    }
    await host.system.replaceFile(host.path('f'), { text: 'x' }, {});
    expect(readdirSync(host.root).sort()).toEqual([mine, '.towline-x', '.towline-1-zz', 'f'].sort());
  });

  it('makes a directory whole or not at all', async () => {
    await host.system.makeDirectory(host.path('d'), { mode: '1777' });
    expect((await host.reader.stat(host.path('d')))?.mode).toBe('1777');
    expect(await codeOf(host.system.makeDirectory(host.path('d'), {}))).toBe('file.wrong-type');
    expect(await codeOf(host.system.makeDirectory(host.path('a', 'b'), {}))).toBe('file.parent-missing');
    const unowned = host.system.makeDirectory(host.path('e'), { owner: 'no-such-user' });
    expect(await codeOf(unowned)).toBe('file.unknown-owner');
    expect(readdirSync(host.root)).toEqual(['d']);
  });

  it('replaces a link in one step and refuses to put one over a directory', async () => {
    await host.system.makeLink(host.path('l'), 'one');
    await host.system.makeLink(host.path('l'), 'two');
    expect(await host.reader.readLink(host.path('l'))).toBe('two');
    mkdirSync(host.path('d'));
    expect(await codeOf(host.system.makeLink(host.path('d'), 'x'))).toBe('file.wrong-type');
    expect(readdirSync(host.root).sort()).toEqual(['d', 'l']);
  });

  it('changes a mode without following a link, also of a file it may not read', async () => {
    writeFileSync(host.path('f'), '');
    symlinkSync('f', host.path('l'));
    expect(await codeOf(host.system.setOwnership(host.path('l'), { mode: '0777' }))).toBe('file.wrong-type');
    await host.system.setOwnership(host.path('f'), { mode: '0000' });
    await host.system.setOwnership(host.path('f'), { mode: '0421' });
    expect((await host.reader.stat(host.path('f')))?.mode).toBe('0421');
    expect(await codeOf(host.system.setOwnership(host.path('none'), { mode: '0600' }))).toBe(
      'file.parent-missing',
    );
  });

  it.runIf(isRoot)('keeps set-id bits when the owner changes', async () => {
    writeFileSync(host.path('f'), '');
    chmodSync(host.path('f'), 0o6755);
    await host.system.setOwnership(host.path('f'), { owner: 'daemon', group: '77' });
    expect(await host.reader.stat(host.path('f'))).toMatchObject({ mode: '6755', gid: 77 });
  });

  it('removes links and not what they lead to, and nothing twice', async () => {
    mkdirSync(host.path('keep'));
    writeFileSync(host.path('keep', 'x'), '');
    mkdirSync(host.path('d', 'e', 'f'), { recursive: true });
    symlinkSync(host.path('keep'), host.path('d', 'e', 'l'));
    expect(await codeOf(host.system.remove(host.path('d')))).toBe('resource.failed');
    await host.system.remove(host.path('d'), { recursive: true });
    await host.system.remove(host.path('d'), { recursive: true });
    symlinkSync('keep', host.path('l'));
    await host.system.remove(host.path('l'), { recursive: true });
    expect(readdirSync(host.root)).toEqual(['keep']);
    expect(readdirSync(host.path('keep'))).toEqual(['x']);
  });

  it('removes trees whose names are not UTF-8', async () => {
    const odd = Buffer.concat([Buffer.from(host.path('d')), Buffer.from([0x2f, 0xff, 0x80])]);
    mkdirSync(odd, { recursive: true });
    writeFileSync(Buffer.concat([odd, Buffer.from([0x2f, 0xe9])]), '');
    await host.system.remove(host.path('d'), { recursive: true });
    expect(readdirSync(host.root)).toEqual([]);
  });

  it('makes no further change once its run was ended, not even one it has begun', async () => {
    const controller = new AbortController();
    const ended = testHost({ signal: controller.signal });
    const path = ended.path('f');
    writeFileSync(path, 'old');
    const replacing = ended.system.replaceFile(path, { text: 'new' }, { validate: ['sh', '-c', 'sleep 60'] });
    setTimeout(() => controller.abort(), 50);
    expect(await codeOf(replacing)).toMatch(/^(file\.invalid|agent\.cancelled)$/);
    expect(await codeOf(ended.system.replaceFile(path, { text: 'new' }, {}))).toBe('agent.cancelled');
    expect(await codeOf(ended.system.remove(path))).toBe('agent.cancelled');
    expect(await codeOf(ended.system.makeDirectory(ended.path('d'), {}))).toBe('agent.cancelled');
    expect(await codeOf(ended.system.makeLink(ended.path('l'), 'x'))).toBe('agent.cancelled');
    expect(await codeOf(ended.system.setOwnership(path, { mode: '0600' }))).toBe('agent.cancelled');
    expect(readdirSync(ended.root)).toEqual(['f']);
    expect(readFileSync(path, 'utf8')).toBe('old');
    ended.remove();
  });

  it('runs programs with its own account and shows their output', async () => {
    const { stdout } = await host.system.run(['sh', '-c', 'echo "$HOME"']);
    expect(stdout.trim()).not.toBe('');
    expect(lstatSync(stdout.trim()).isDirectory()).toBe(true);
  });
});
