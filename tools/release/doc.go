// Command release keeps the public API and prepares releases. It is run from the root of the
// repository:
//
//	release api [-update]     compare the exported declarations with the files in api/
//	release diff [-base REV]  report what changed since the last tag, and how compatible that is
//	release notes VERSION     print the section of CHANGELOG.md
//	release prepare VERSION   check, tag and try a release, without publishing it
//
// A module of its own has it, since it needs packages that load Go code.
package main
