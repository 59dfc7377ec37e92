/**
 * The script that takes a runtime on the host: reads it, unpacks it, proves it, and puts it in its place at once.
 * Invariant: until the runtime is whole, runs and is on disk, nothing but a folder named after the script's process exists;
 * it goes with the script, or with the next attempt when the script was killed.
 * Pure text; nothing of it comes from a host.
 */

import { oneLine } from './one-line.ts';
import { enterFunction, type Place, placeWord } from './places.ts';
import type { Compression } from './probe.ts';

export interface ShipScript {
  readonly place: Place;
  readonly compression: Compression;
  /** Bytes to read. */
  readonly size: number;
  /** Of the unpacked file. */
  readonly sha256: string;
  /** Random; part of the unfinished folder's name. */
  readonly word: string;
  /** false: the runtime goes when the script's input ends. */
  readonly keep: boolean;
}

/** Where the script stopped. */
export const shipStages = ['place', 'unpack', 'hash', 'run', 'move'] as const;
export type ShipStage = (typeof shipStages)[number];

const unpackers: { readonly [C in Compression]: string } = {
  zstd: 'zstd -dcq',
  gzip: 'gzip -dc',
  none: 'cat',
};

/** Runs in the new Node: hashes itself unless that was done, and does not come back before it is on disk. */
const trial = [
  `var f=require('fs'),d=f.openSync(process.execPath,'r'),w=process.argv[1],b=Buffer.alloc(65536),n,`,
  `h=require('crypto').createHash('sha256')`,
  `;if(w!=='seen')while((n=f.readSync(d,b,0,65536,null))>0)h.update(b.subarray(0,n))`,
  `;f.fsyncSync(d);process.stdout.write(w==='seen'||h.digest('hex')===w?'whole':'damaged')`,
].join('');

/** The folder below the cache that holds this very file. */
export function keptFolder(sha256: string): string {
  return sha256.slice(0, 16);
}

/** The folder that holds the runtime until it is whole, and for as long as it is not to be kept. */
export function unfinishedFolder(process: number, word: string): string {
  return `.new-${process}-${word}`;
}

/** The script. It says `go`, and at the end `done USER PROCESS` or `failed STAGE FREE`. */
export function shipScript({ place, compression, size, sha256, word, keep }: ShipScript): string {
  const kept = keptFolder(sha256);
  return oneLine(`
    LC_ALL=C
    export LC_ALL
    umask 077
    ${enterFunction}
    u=$(id -u)
    d=${placeWord(place)}
    room() { set -- $(df -Pk . 2>/dev/null | tail -n 1); f=$4; }
    t=.new-$$-${word}
    fail() { room; rm -rf $t; echo "failed $1 $f"; exit 1; }
    mkdir ${place === 'home' ? '-p ' : ''}"$d" 2>/dev/null
    enter "$d" || fail place
    for o in .new-*; do
    p=\${o#.new-}
    p=\${p%%-*}
    case "$p" in ""|*[!0-9]*) ;; *) kill -0 "$p" 2>/dev/null || rm -rf "$o";; esac
    done
    trap "rm -rf $t" EXIT
    trap "exit 1" HUP INT TERM PIPE
    mkdir $t || fail place
    echo go
    head -c ${size} | ${unpackers[compression]} >$t/node || fail unpack
    chmod 700 $t/node || fail unpack
    s=${sha256}
    if command -v sha256sum >/dev/null 2>&1; then
    set -- $(sha256sum $t/node)
    [ "$1" = $s ] || fail hash
    s=seen
    fi
    v=$(./$t/node -e "${trial}" $s) || fail run
    [ "$v" = whole ] || fail hash
    ${keep ? keepLines(kept) : 'echo "done $u $$"; cat >/dev/null'}
  `);
}

/** A rename puts it there; other versions go once nobody can be about to start them. */
function keepLines(kept: string): string {
  return `
    mkdir -p ${kept} && mv -f $t/node ${kept}/node || fail move
    for o in [0-9a-f]*; do
    if [ "$o" != ${kept} ] && [ -n "$(find "$o" -prune -mmin +60 2>/dev/null)" ]; then rm -rf "$o"; fi
    done
    rm -rf $t
    echo "done $u $$"`;
}
