/** Program to look for → the Debian package that has it. */
export declare const packages: Readonly<Record<string, string>>;
