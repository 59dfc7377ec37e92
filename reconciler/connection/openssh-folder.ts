/**
 * The private folder of the OpenSSH transport: control sockets, logs of clients, pinned keys, and who answers for passwords.
 * Invariant: nobody but this account can enter it; no secret is ever in a file, and it goes with the last connection.
 * Never answers a question that ssh asks by itself, such as whether a host key may be trusted.
 */

import { rmSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSecret, type Secret } from '../../agent/protocol/secret.ts';
import { askVariable } from './openssh-words.ts';
import { quoteAll } from './quote.ts';

/** Most bytes of a socket's path: ssh adds some while it makes one. */
const longestPath = 80;
const mostQuestion = 4096;
const mostLog = 256 * 1024;

/** Asks the socket that the environment names, with the question as its argument. */
const asker = `const p=process,s=require('net').connect(p.env.${askVariable});s.on('error',()=>p.exit(1));s.end(p.argv[1]);let t='';s.on('data',(c)=>t+=c).on('close',()=>{if(t==='')p.exit(1);p.stdout.write(t)})`;

/** Questions of ssh itself, as opposed to those of the server. */
const ownQuestion =
  /^(Enter passphrase|Enter PIN|Bad passphrase|Are you sure|Please type|Confirm user presence|Allow )|\(yes\/no/i;

export class OpensshFolder {
  readonly path: string;
  readonly #servers = new Set<Server>();

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes a folder of its own for one connection. */
  static async make(): Promise<OpensshFolder> {
    const parent = tmpdir().length > longestPath - 40 ? '/tmp' : tmpdir();
    return new OpensshFolder(await mkdtemp(join(parent, 'towline-ssh-')));
  }

  /** A file's path in the folder. */
  file(name: string): string {
    return join(this.path, name);
  }

  /** The text of a file so far, its end when it is long. */
  async read(name: string): Promise<string> {
    const text = await readFile(this.file(name), 'utf8').catch(() => '');
    return text.slice(-mostLog);
  }

  write(name: string, text: string): Promise<void> {
    return writeFile(this.file(name), text, { mode: 0o600 });
  }

  /** Writes the program that ssh asks. */
  async writeAsker(): Promise<string> {
    const path = this.file('ask');
    const words = [process.execPath, '-e', asker, '--'];
    await writeFile(path, `#!/bin/sh\nexec ${quoteAll(words)} "$1"\n`, { mode: 0o700 });
    await chmod(path, 0o700);
    return path;
  }

  /** Answers questions of a server with a password: each question once, so a wrong password is not tried again. */
  async answer(name: string, password: Secret): Promise<void> {
    const asked = new Set<string>();
    const reply = (question: string): string => {
      if (ownQuestion.test(question) || asked.has(question)) return '';
      asked.add(question);
      return `${openSecret(password)}\n`;
    };
    const server = createServer({ allowHalfOpen: true }, (socket) => listen(socket, reply));
    server.unref();
    this.#servers.add(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.file(name), resolve);
    });
  }

  /** Stops answering: once a connection stands, nobody has anything to ask. */
  stopAnswering(): void {
    for (const server of this.#servers) server.close();
    this.#servers.clear();
  }

  async remove(): Promise<void> {
    this.stopAnswering();
    await rm(this.path, { recursive: true, force: true });
  }

  /** For the end of the process, when nothing can be waited for. */
  removeNow(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

function listen(socket: Socket, reply: (question: string) => string): void {
  let question = '';
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    question += bytes.toString();
    if (question.length > mostQuestion) socket.destroy();
  });
  socket.on('end', () => socket.end(reply(question)));
}
