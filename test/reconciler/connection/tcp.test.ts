import { describe, expect, it } from 'vitest';
import { describeExit, LastLines } from '../../../reconciler/connection/line.ts';
import { tcpReason } from '../../../reconciler/connection/tcp.ts';

function failing(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`connect ${code}`), { code });
}

describe('reasons for people', () => {
  it.each([
    ['ECONNREFUSED', 'connection refused'],
    ['ETIMEDOUT', 'no answer within 10 s'],
    ['ENOTFOUND', 'not known to DNS'],
    ['EAI_AGAIN', 'could not be looked up'],
    ['EHOSTUNREACH', 'no route to it (EHOSTUNREACH)'],
    ['ENETUNREACH', 'no route to it'],
    ['EACCES', 'connect EACCES'],
  ])('says for %s: %s', (code, text) => {
    expect(tcpReason(failing(code), 10_000)).toContain(text);
  });

  it.each([
    [{ status: 1, signal: null }, 'exit status 1'],
    [{ status: null, signal: null }, 'exit status unknown'],
    [{ status: 137, signal: null }, 'out of memory'],
    [{ status: 127, signal: null }, 'not found'],
    [{ status: null, signal: 'KILL' }, 'out of memory'],
    [{ status: null, signal: 'HUP' }, 'login session ended'],
    [{ status: null, signal: 'TERM' }, 'killed by TERM'],
    [{ status: null, signal: null, lost: 'the server closed the connection' }, 'the server closed'],
  ])('describes the end %j', (exit, text) => {
    expect(describeExit(exit)).toContain(text);
  });

  it('keeps the last lines only, bounded', () => {
    const lines = new LastLines(2);
    lines.add(`${'x'.repeat(20_000)}\none\n\ntwo\r\n`);
    lines.add(Buffer.from('three'));
    expect(lines.lines).toEqual(['two', 'three']);
    expect(lines.text.length).toBeLessThanOrEqual(8192);
  });
});
