/**
 * Where a policy may be, as a person writes it.
 */

import { describe, expect, it } from 'vitest';
import { errorPacket } from '../../../reconciler/source/git-http.ts';
import { parseLocation } from '../../../reconciler/source/location.ts';

describe('parseLocation', () => {
  it.each([
    ['https://git.example.org/policy.git', { kind: 'remote', url: 'https://git.example.org/policy.git' }],
    ['HTTP://git.example.org:8080/policy/', { kind: 'remote', url: 'http://git.example.org:8080/policy' }],
    ['.', { kind: 'local', path: '/home/ada' }],
    ['../policy', { kind: 'local', path: '/home/policy' }],
    ['/srv/policy', { kind: 'local', path: '/srv/policy' }],
    ['file:///srv/my%20policy', { kind: 'local', path: '/srv/my policy' }],
    ['./git@host:path', { kind: 'local', path: '/home/ada/git@host:path' }],
  ])('takes %s', (text, expected) => {
    expect(parseLocation(text, '/home/ada')).toEqual({ ok: true, value: expected });
  });

  it.each([
    ['https://ada:sesame@git.example.org/policy', 'source.credentials-in-url'],
    ['https://token@git.example.org/policy', 'source.credentials-in-url'],
    ['ssh://git@git.example.org/policy', 'source.bad-location'],
    ['git@git.example.org:policy.git', 'source.bad-location'],
    ['git://git.example.org/policy', 'source.bad-location'],
    ['https://', 'source.bad-location'],
    ['https://git.example.org/policy?token=sesame', 'source.bad-location'],
    ['file://otherhost/policy', 'source.bad-location'],
    ['', 'source.bad-location'],
  ])('refuses %s', (text, code) => {
    const parsed = parseLocation(text, '/home/ada');
    expect(parsed.ok ? '' : parsed.problem.code).toBe(code);
    expect(JSON.stringify(parsed)).not.toContain('sesame');
  });
});

describe('errorPacket', () => {
  it('finds the error among the first packets only', () => {
    expect(errorPacket(Buffer.from('000bERR no!'))).toBe('no!');
    expect(errorPacket(Buffer.from('001e# service=git-upload-pack\n0000000cERR gone'))).toBe('gone');
    expect(errorPacket(Buffer.from('0008NAK\n0009ERR x'))).toBe('x');
    expect(errorPacket(Buffer.from('PACK....'))).toBeUndefined();
    expect(errorPacket(Buffer.alloc(0))).toBeUndefined();
  });
});
