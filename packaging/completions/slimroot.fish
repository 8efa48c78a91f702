# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_slimroot_global_optspecs
    string join \n color= q/quiet v/verbose h/help V/version
end

function __fish_slimroot_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_slimroot_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_slimroot_using_subcommand
    set -l cmd (__fish_slimroot_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c slimroot -n "__fish_slimroot_needs_command" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_needs_command" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_needs_command" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_needs_command" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "build" -d 'Packs an entry with all its runtime dependencies'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "slim" -d 'Packs the program of an image into a smaller image with the same settings'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "index" -d 'Combines images for several platforms into one image'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "plan" -d 'Lists every path of an image with its reason, package and size, without writing the image'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "diff" -d 'Compares two images: plans, locks, directories, or images made by any tool'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "outdated" -d 'Lists packages that have another version in a newer root'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "report" -d 'Writes a page that shows what is in a directory, or in an image made by any tool: one HTML file'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "sbom" -d 'Writes an inventory of the software (SBOM) in a directory, or in an image made by any tool'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "vex" -d 'Writes which vulnerabilities of a builder its image does not have (VEX), as far as the files prove it'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "deps" -d 'Lists the files that a program\'s loader would load, and how it finds them'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "why" -d 'Explains why a path is in the image of an entry'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "check" -d 'Finds problems of an entry or of a finished image'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "verify" -d 'Runs the program of a packed root, compares the run with one in the builder root, and names missing files'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "trace" -d 'Runs a command on this machine and records which files it opens, executes, maps, lists, and fails to find'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "dockerfile" -d 'Prints a Dockerfile with an additional last stage from scratch, made by slimroot, which keeps every setting'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "profiles" -d 'Lists the profiles, shows one, or tests their examples'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "explain" -d 'Explains a message: a code of slimroot, or an error of another program'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "completions" -d 'Prints the completion script of a shell'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "man" -d 'Prints the manual page of slimroot or of one of its commands, or writes all pages to a directory'
complete -c slimroot -n "__fish_slimroot_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l root -l image -d 'The builder\'s file system: a directory, or an image (oci:DIR, oci-archive:FILE or docker-archive:FILE, with a :TAG if it has several; docker://HOST/NAME:TAG or @DIGEST in a registry; NAME:TAG in a local store or the registry that it names)' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l platform -d 'Platform to take from an image that has several, such as linux/arm64; build and slim: `all` packs each and writes an index. Default: that of this machine, or else the first' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l registry-ca -d 'A PEM file with certificates to trust when talking to registries, in addition to those of the system. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -s e -l env -d 'Environment variable of the image. PATH, LD_LIBRARY_PATH and LD_PRELOAD also affect the search. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -s w -l workdir -l cwd -d 'Working directory of the image' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l cpu -d 'Highest CPU level that all machines have, such as x86-64-v3; without it, files for all levels are packed' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l interpreter -d 'Loader to use if the entry is a plug-in or library, since these specify none' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l bin -d 'Another program to pack, as if it were the entry. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -s p -l profile -d 'Profile to apply: a name from `slimroot profiles`, or a file. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l profiles -d 'Folder with your own profiles. They work like the built-in ones and replace those of the same name' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -s i -l include -d 'Files to add, such as \'/srv/www/**\'. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l trace -d 'Adds the files that a run used, as recorded by `slimroot trace` or `strace -f`. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l copy -d 'Copies a file or directory of the root to another path in the image and keeps modes and owners. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l package -d 'Distribution package to add. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l ca -d 'PEM file on this machine with CA certificates that the image trusts too. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -s x -l exclude -d 'Files to leave out, such as \'/app/test/**\'. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l no-profile -d 'Profile not to apply automatically. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l no-rule -d 'Rule to turn off: an id that `slimroot why` and `slimroot explain` print. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l companions -d 'Packages whose other files (helpers, plug-ins, data, configuration) are packed too' -r -f -a "all\t'The packages of the entries and of all libraries that they load'
entry\t'The packages of the entries only'
none\t'No packages'"
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l pyc -d 'Packs Python bytecode, compiled by the root\'s own interpreter. Without this option none is packed' -r -f -a "none\t'No sources: the smallest image, but Python compiles at every start'
used\t'Files loaded during a trial start of the entry. Another start may load other files and give another digest'
all\t'All sources in the image: the same digest every time'"
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l entrypoint -d 'ENTRYPOINT: another way to write ENTRY, as a JSON array or words with quotes' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l cmd -d 'CMD: default arguments, which `docker run IMAGE ARGUMENTS` replaces' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l volume -d 'Volume of the image; its directory is packed, and belongs to the image\'s user if the root has none. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l stop-signal -d 'Signal that stops a container, such as SIGINT' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l healthcheck -d 'Health check: an address such as http://127.0.0.1:8000/health, or a command as in a Dockerfile' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l author -d 'Author of the image' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -s t -l tag -d 'Name of the image in outputs that do not specify one' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l image-format -d 'Media types of the image. Default: docker for an image with a health check, since engines other than Docker ignore health checks in OCI images; otherwise oci' -r -f -a "oci\t'Those of the OCI image specification'
docker\t'Those of docker\'s image manifest, version 2, schema 2'"
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l allow -d 'Ignores a finding, or one subject of it, such as missing-library=libfoo.so.1. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l warn -d 'Makes a finding a warning. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l deny -d 'Makes a finding an error. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l plan-out -d 'Writes the plan as JSON: every path with mode, owner, size, digest, package, rule and reason. An older file is replaced' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l lock -d 'Writes a lock: the plan without the files of your own application. An older file is replaced' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l locked -d 'Writes nothing if the image differs from this lock in packages, libraries, reasons, owners, modes, user or ports (exit code 5)' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l sbom -d 'Writes an inventory of what is packed: spdx-json=FILE or cyclonedx-json=FILE. An older file is replaced. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l sbom-inside -d 'Packs an inventory into the image as /usr/share/sbom/NAME.spdx.json or .cdx.json: spdx-json or cyclonedx-json. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l attach -d 'Attaches a document to the image in oci: and docker:// outputs, as an OCI referrer: spdx-json, cyclonedx-json, provenance, or an inventory as an in-toto statement: in-toto:spdx-json, in-toto:cyclonedx-json. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l provenance -d 'Writes the build provenance as a SLSA predicate, for signing. An older file is replaced' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l seccomp -d 'Writes a seccomp profile for docker, podman and Kubernetes: the system calls that the packed machine code can make (x86-64). An older file is replaced' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l report -d 'Writes a page that shows what is in the image, why, what was left out, and the findings: one HTML file that needs no network. An older file is replaced' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l budget -d 'The largest size of the image\'s files together, such as 60MB. A larger image is not written (exit code 5)' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -s o -l output -d 'Where to write the image: dir:PATH (or PATH), tar:FILE, oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF], docker://HOST/NAME[:TAG]; FILE - is stdout. Repeatable: files are read only once' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -s u -l user -d 'User of the image: NAME or UID, optionally with :GROUP or :GID. Default: the user of the service unit that starts the entry, or else 65532:65532' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l expose -d 'Port that the image exposes, such as 8080 or 53/udp. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -s l -l label -d 'Label of the image. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l config -d 'A file with the same settings; command-line options take precedence' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l compression -d 'Compression of layers: gzip[:1-12], zstd[:1-19] or none' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l layers -d 'Layers of the image: one, or split[:2-6], cut by how often files change: loader and C library, distribution, interpreter, language packages, records, application' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l since -d 'An earlier image, such as docker://HOST/NAME:TAG: the report says how much of the new one a push must send' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l debug-tag -d 'Writes a second image with this suffix on its tag: the same layers, and one more with a static busybox and its shell, for docker run --entrypoint sh and kubectl debug' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l debug-shell -d 'File on this machine with the static busybox of the second image. Default: that of the root' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l threads -d 'Number of compression threads; the output is the same for any number' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l cache -d 'Directory for compressed blocks, such as a BuildKit cache mount or a CI cache: unchanged data is not compressed again. Several runs can share it; the output is the same with and without it. Only for gzip' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l cache-size -d 'Maximum size of the cache, such as 500MB; the least recently used blocks are removed first. Default: 2GiB' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l owner-map -d 'Changes the owner and group before the = to those after it, such as 1000:1000=0:0. Owners and groups are mapped separately; a file whose owner or group changes loses set-id bits and capabilities. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l verify-file -d 'With --verify, a file with several runs, such as slimroot.verify.toml; see `slimroot verify`' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l ready -d 'Waits until the program accepts connections at this port of its own network: tcp:PORT' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l probe -d 'Request to send: http://127.0.0.1:PORT/PATH[=STATUS]; without a status, any below 400 is accepted. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l for -d 'Ends the program after this time, such as 10s; without this option, --ready and --probe, it runs until it ends' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l limit -d 'Maximum run time' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l memory -d 'Maximum memory of each process, and of files that it makes, in megabytes' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l processes -d 'Maximum number of processes and threads at a time' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l format -d 'Format of the report' -r -f -a "human\t'Text for people'
json\t'One JSON document'"
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l insecure -d 'Does not verify the certificates of registries, and uses plain HTTP where a registry does not speak TLS. Without it, plain HTTP is used only on this machine'
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l no-inherit -d 'Takes over no settings of this process. Without this option, if the root is the running system, the image gets slimroot\'s working directory and variables such as PATH, LANG, LC_*, TZ, PYTHONPATH and NODE_ENV'
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l no-shell -d 'Packs no shell and no busybox'
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l no-auto -d 'Applies only the profiles of --profile, and those that are always applied, such as base'
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l jlink -d 'Replaces the Java runtime with one that has only the modules that the jars need, using jlink of the root\'s JDK. jlink orders some tables randomly, so another build may give another digest'
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l strip -d 'Removes debug sections and symbol tables from ELF files; loaded segments do not change or move'
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l force -d 'Replaces an existing output, atomically at the end'
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l dry-run -d 'Shows what would be packed; writes no image'
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l verify -d 'Runs the packed program and the original in the builder root, and compares them, before anything is written. Writes the image only if they behave the same. See `slimroot verify`'
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l fix -d 'With --verify, adds files that the run lacked and tries again until none is missing; prints the lines for slimroot.toml'
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -l net -d 'Lets the program use the network of this machine; without this option it has only its own loopback interface'
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand build" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l root -l image -d 'The builder\'s file system: a directory, or an image (oci:DIR, oci-archive:FILE or docker-archive:FILE, with a :TAG if it has several; docker://HOST/NAME:TAG or @DIGEST in a registry; NAME:TAG in a local store or the registry that it names)' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l platform -d 'Platform to take from an image that has several, such as linux/arm64; build and slim: `all` packs each and writes an index. Default: that of this machine, or else the first' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l registry-ca -d 'A PEM file with certificates to trust when talking to registries, in addition to those of the system. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -s e -l env -d 'Environment variable of the image. PATH, LD_LIBRARY_PATH and LD_PRELOAD also affect the search. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -s w -l workdir -l cwd -d 'Working directory of the image' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l cpu -d 'Highest CPU level that all machines have, such as x86-64-v3; without it, files for all levels are packed' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l interpreter -d 'Loader to use if the entry is a plug-in or library, since these specify none' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l bin -d 'Another program to pack, as if it were the entry. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -s p -l profile -d 'Profile to apply: a name from `slimroot profiles`, or a file. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l profiles -d 'Folder with your own profiles. They work like the built-in ones and replace those of the same name' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -s i -l include -d 'Files to add, such as \'/srv/www/**\'. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l trace -d 'Adds the files that a run used, as recorded by `slimroot trace` or `strace -f`. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l copy -d 'Copies a file or directory of the root to another path in the image and keeps modes and owners. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l package -d 'Distribution package to add. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l ca -d 'PEM file on this machine with CA certificates that the image trusts too. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -s x -l exclude -d 'Files to leave out, such as \'/app/test/**\'. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l no-profile -d 'Profile not to apply automatically. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l no-rule -d 'Rule to turn off: an id that `slimroot why` and `slimroot explain` print. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l companions -d 'Packages whose other files (helpers, plug-ins, data, configuration) are packed too' -r -f -a "all\t'The packages of the entries and of all libraries that they load'
entry\t'The packages of the entries only'
none\t'No packages'"
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l pyc -d 'Packs Python bytecode, compiled by the root\'s own interpreter. Without this option none is packed' -r -f -a "none\t'No sources: the smallest image, but Python compiles at every start'
used\t'Files loaded during a trial start of the entry. Another start may load other files and give another digest'
all\t'All sources in the image: the same digest every time'"
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l entrypoint -d 'ENTRYPOINT: another way to write ENTRY, as a JSON array or words with quotes' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l cmd -d 'CMD: default arguments, which `docker run IMAGE ARGUMENTS` replaces' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l volume -d 'Volume of the image; its directory is packed, and belongs to the image\'s user if the root has none. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l stop-signal -d 'Signal that stops a container, such as SIGINT' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l healthcheck -d 'Health check: an address such as http://127.0.0.1:8000/health, or a command as in a Dockerfile' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l author -d 'Author of the image' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -s t -l tag -d 'Name of the image in outputs that do not specify one' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l image-format -d 'Media types of the image. Default: docker for an image with a health check, since engines other than Docker ignore health checks in OCI images; otherwise oci' -r -f -a "oci\t'Those of the OCI image specification'
docker\t'Those of docker\'s image manifest, version 2, schema 2'"
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l allow -d 'Ignores a finding, or one subject of it, such as missing-library=libfoo.so.1. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l warn -d 'Makes a finding a warning. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l deny -d 'Makes a finding an error. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l plan-out -d 'Writes the plan as JSON: every path with mode, owner, size, digest, package, rule and reason. An older file is replaced' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l lock -d 'Writes a lock: the plan without the files of your own application. An older file is replaced' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l locked -d 'Writes nothing if the image differs from this lock in packages, libraries, reasons, owners, modes, user or ports (exit code 5)' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l sbom -d 'Writes an inventory of what is packed: spdx-json=FILE or cyclonedx-json=FILE. An older file is replaced. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l sbom-inside -d 'Packs an inventory into the image as /usr/share/sbom/NAME.spdx.json or .cdx.json: spdx-json or cyclonedx-json. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l attach -d 'Attaches a document to the image in oci: and docker:// outputs, as an OCI referrer: spdx-json, cyclonedx-json, provenance, or an inventory as an in-toto statement: in-toto:spdx-json, in-toto:cyclonedx-json. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l provenance -d 'Writes the build provenance as a SLSA predicate, for signing. An older file is replaced' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l seccomp -d 'Writes a seccomp profile for docker, podman and Kubernetes: the system calls that the packed machine code can make (x86-64). An older file is replaced' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l report -d 'Writes a page that shows what is in the image, why, what was left out, and the findings: one HTML file that needs no network. An older file is replaced' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l budget -d 'The largest size of the image\'s files together, such as 60MB. A larger image is not written (exit code 5)' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -s o -l output -d 'Where to write the image: dir:PATH (or PATH), tar:FILE, oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF], docker://HOST/NAME[:TAG]; FILE - is stdout. Repeatable: files are read only once' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -s u -l user -d 'User of the image: NAME or UID, optionally with :GROUP or :GID. Default: the user of the service unit that starts the entry, or else 65532:65532' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l expose -d 'Port that the image exposes, such as 8080 or 53/udp. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -s l -l label -d 'Label of the image. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l config -d 'A file with the same settings; command-line options take precedence' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l compression -d 'Compression of layers: gzip[:1-12], zstd[:1-19] or none' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l layers -d 'Layers of the image: one, or split[:2-6], cut by how often files change: loader and C library, distribution, interpreter, language packages, records, application' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l since -d 'An earlier image, such as docker://HOST/NAME:TAG: the report says how much of the new one a push must send' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l debug-tag -d 'Writes a second image with this suffix on its tag: the same layers, and one more with a static busybox and its shell, for docker run --entrypoint sh and kubectl debug' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l debug-shell -d 'File on this machine with the static busybox of the second image. Default: that of the root' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l threads -d 'Number of compression threads; the output is the same for any number' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l cache -d 'Directory for compressed blocks, such as a BuildKit cache mount or a CI cache: unchanged data is not compressed again. Several runs can share it; the output is the same with and without it. Only for gzip' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l cache-size -d 'Maximum size of the cache, such as 500MB; the least recently used blocks are removed first. Default: 2GiB' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l owner-map -d 'Changes the owner and group before the = to those after it, such as 1000:1000=0:0. Owners and groups are mapped separately; a file whose owner or group changes loses set-id bits and capabilities. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l verify-file -d 'With --verify, a file with several runs, such as slimroot.verify.toml; see `slimroot verify`' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l ready -d 'Waits until the program accepts connections at this port of its own network: tcp:PORT' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l probe -d 'Request to send: http://127.0.0.1:PORT/PATH[=STATUS]; without a status, any below 400 is accepted. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l for -d 'Ends the program after this time, such as 10s; without this option, --ready and --probe, it runs until it ends' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l limit -d 'Maximum run time' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l memory -d 'Maximum memory of each process, and of files that it makes, in megabytes' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l processes -d 'Maximum number of processes and threads at a time' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l format -d 'Format of the report' -r -f -a "human\t'Text for people'
json\t'One JSON document'"
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l insecure -d 'Does not verify the certificates of registries, and uses plain HTTP where a registry does not speak TLS. Without it, plain HTTP is used only on this machine'
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l no-inherit -d 'Takes over no settings of this process. Without this option, if the root is the running system, the image gets slimroot\'s working directory and variables such as PATH, LANG, LC_*, TZ, PYTHONPATH and NODE_ENV'
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l no-shell -d 'Packs no shell and no busybox'
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l no-auto -d 'Applies only the profiles of --profile, and those that are always applied, such as base'
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l jlink -d 'Replaces the Java runtime with one that has only the modules that the jars need, using jlink of the root\'s JDK. jlink orders some tables randomly, so another build may give another digest'
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l strip -d 'Removes debug sections and symbol tables from ELF files; loaded segments do not change or move'
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l force -d 'Replaces an existing output, atomically at the end'
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l dry-run -d 'Shows what would be packed; writes no image'
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l verify -d 'Runs the packed program and the original in the builder root, and compares them, before anything is written. Writes the image only if they behave the same. See `slimroot verify`'
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l fix -d 'With --verify, adds files that the run lacked and tries again until none is missing; prints the lines for slimroot.toml'
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -l net -d 'Lets the program use the network of this machine; without this option it has only its own loopback interface'
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand slim" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand index" -s o -l output -d 'Where to write the index: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker://HOST/NAME[:TAG]' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand index" -l registry-ca -d 'A PEM file with certificates to trust when talking to registries, in addition to those of the system. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand index" -l format -d 'Format of the report' -r -f -a "human\t'Text for people'
json\t'One JSON document'"
complete -c slimroot -n "__fish_slimroot_using_subcommand index" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand index" -l force -d 'Replaces an existing archive, atomically at the end'
complete -c slimroot -n "__fish_slimroot_using_subcommand index" -l insecure -d 'Does not verify the certificates of registries, and uses plain HTTP where a registry does not speak TLS'
complete -c slimroot -n "__fish_slimroot_using_subcommand index" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand index" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand index" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand index" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l root -l image -d 'The builder\'s file system: a directory, or an image (oci:DIR, oci-archive:FILE or docker-archive:FILE, with a :TAG if it has several; docker://HOST/NAME:TAG or @DIGEST in a registry; NAME:TAG in a local store or the registry that it names)' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l platform -d 'Platform to take from an image that has several, such as linux/arm64; build and slim: `all` packs each and writes an index. Default: that of this machine, or else the first' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l registry-ca -d 'A PEM file with certificates to trust when talking to registries, in addition to those of the system. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -s e -l env -d 'Environment variable of the image. PATH, LD_LIBRARY_PATH and LD_PRELOAD also affect the search. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -s w -l workdir -l cwd -d 'Working directory of the image' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l cpu -d 'Highest CPU level that all machines have, such as x86-64-v3; without it, files for all levels are packed' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l interpreter -d 'Loader to use if the entry is a plug-in or library, since these specify none' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l bin -d 'Another program to pack, as if it were the entry. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -s p -l profile -d 'Profile to apply: a name from `slimroot profiles`, or a file. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l profiles -d 'Folder with your own profiles. They work like the built-in ones and replace those of the same name' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -s i -l include -d 'Files to add, such as \'/srv/www/**\'. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l trace -d 'Adds the files that a run used, as recorded by `slimroot trace` or `strace -f`. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l copy -d 'Copies a file or directory of the root to another path in the image and keeps modes and owners. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l package -d 'Distribution package to add. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l ca -d 'PEM file on this machine with CA certificates that the image trusts too. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -s x -l exclude -d 'Files to leave out, such as \'/app/test/**\'. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l no-profile -d 'Profile not to apply automatically. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l no-rule -d 'Rule to turn off: an id that `slimroot why` and `slimroot explain` print. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l companions -d 'Packages whose other files (helpers, plug-ins, data, configuration) are packed too' -r -f -a "all\t'The packages of the entries and of all libraries that they load'
entry\t'The packages of the entries only'
none\t'No packages'"
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l pyc -d 'Packs Python bytecode, compiled by the root\'s own interpreter. Without this option none is packed' -r -f -a "none\t'No sources: the smallest image, but Python compiles at every start'
used\t'Files loaded during a trial start of the entry. Another start may load other files and give another digest'
all\t'All sources in the image: the same digest every time'"
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l entrypoint -d 'ENTRYPOINT: another way to write ENTRY, as a JSON array or words with quotes' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l cmd -d 'CMD: default arguments, which `docker run IMAGE ARGUMENTS` replaces' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l volume -d 'Volume of the image; its directory is packed, and belongs to the image\'s user if the root has none. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l stop-signal -d 'Signal that stops a container, such as SIGINT' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l healthcheck -d 'Health check: an address such as http://127.0.0.1:8000/health, or a command as in a Dockerfile' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l author -d 'Author of the image' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -s t -l tag -d 'Name of the image in outputs that do not specify one' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l image-format -d 'Media types of the image. Default: docker for an image with a health check, since engines other than Docker ignore health checks in OCI images; otherwise oci' -r -f -a "oci\t'Those of the OCI image specification'
docker\t'Those of docker\'s image manifest, version 2, schema 2'"
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l allow -d 'Ignores a finding, or one subject of it, such as missing-library=libfoo.so.1. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l warn -d 'Makes a finding a warning. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l deny -d 'Makes a finding an error. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -s u -l user -d 'User of the image: NAME or UID, optionally with :GROUP or :GID' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l expose -d 'Port that the image exposes, such as 8080 or 53/udp. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -s l -l label -d 'Label of the image. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l config -d 'A file with the same settings; command-line options take precedence' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l owner-map -d 'Other owners for the files of the image. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l format -d 'Format of the plan' -r -f -a "lines\t'A line for each path'
json\t'One JSON document; docs/plan.schema.json describes it'"
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l insecure -d 'Does not verify the certificates of registries, and uses plain HTTP where a registry does not speak TLS. Without it, plain HTTP is used only on this machine'
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l no-inherit -d 'Takes over no settings of this process. Without this option, if the root is the running system, the image gets slimroot\'s working directory and variables such as PATH, LANG, LC_*, TZ, PYTHONPATH and NODE_ENV'
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l no-shell -d 'Packs no shell and no busybox'
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l no-auto -d 'Applies only the profiles of --profile, and those that are always applied, such as base'
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l jlink -d 'Replaces the Java runtime with one that has only the modules that the jars need, using jlink of the root\'s JDK. jlink orders some tables randomly, so another build may give another digest'
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l strip -d 'Removes debug sections and symbol tables from ELF files'
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -l all -d 'Lists every file of the root that is left out, not only their number'
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand plan" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand diff" -l platform -d 'Platform to take from an image that has several, such as linux/arm64. Default: that of this machine, or else the first' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand diff" -l registry-ca -d 'A PEM file with certificates to trust when talking to registries, in addition to those of the system. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand diff" -l fail-if-grows -d 'Exits with 5 if the second image is larger than the first by more than this: 5% or 2MB' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand diff" -l budget -d 'Exits with 5 if the files of the second image are larger than this together, such as 60MB' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand diff" -l report -d 'Writes a page that shows both images and what differs: one HTML file that needs no network. An older file is replaced' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand diff" -l format -d 'Output format' -r -f -a "human\t'Text for people'
json\t'One JSON document'
markdown\t'Markdown for a comment on a pull request: a few lines, with the rest folded'"
complete -c slimroot -n "__fish_slimroot_using_subcommand diff" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand diff" -l insecure -d 'Does not verify the certificates of registries, and uses plain HTTP where a registry does not speak TLS'
complete -c slimroot -n "__fish_slimroot_using_subcommand diff" -l all -d 'Lists every difference, however many there are. JSON always has all'
complete -c slimroot -n "__fish_slimroot_using_subcommand diff" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand diff" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand diff" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand outdated" -l platform -d 'Platform to take from an image that has several, such as linux/arm64. Default: that of this machine, or else the first' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand outdated" -l registry-ca -d 'A PEM file with certificates to trust when talking to registries, in addition to those of the system. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand outdated" -l format -d 'Output format' -r -f -a "human\t'Text for people'
json\t'One JSON document'"
complete -c slimroot -n "__fish_slimroot_using_subcommand outdated" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand outdated" -l insecure -d 'Does not verify the certificates of registries, and uses plain HTTP where a registry does not speak TLS'
complete -c slimroot -n "__fish_slimroot_using_subcommand outdated" -l fail-if-outdated -d 'Exits with 5 if a package has another version'
complete -c slimroot -n "__fish_slimroot_using_subcommand outdated" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand outdated" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand outdated" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand outdated" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand report" -s o -l output -d 'Where to write the page instead of stdout. An older file is replaced' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand report" -l platform -d 'Platform to take from an image that has several, such as linux/arm64. Default: that of this machine, or else the first' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand report" -l registry-ca -d 'A PEM file with certificates to trust when talking to registries, in addition to those of the system. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand report" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand report" -l insecure -d 'Does not verify the certificates of registries, and uses plain HTTP where a registry does not speak TLS'
complete -c slimroot -n "__fish_slimroot_using_subcommand report" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand report" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand report" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand sbom" -l format -d 'Format of the inventory' -r -f -a "spdx-json\t'SPDX 2.3 as JSON'
cyclonedx-json\t'CycloneDX 1.6 as JSON'"
complete -c slimroot -n "__fish_slimroot_using_subcommand sbom" -l name -d 'Name of the image in the inventory; otherwise that of its file or directory' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand sbom" -s o -l output -d 'Where to write the inventory instead of stdout. An older file is replaced' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand sbom" -l platform -d 'Platform to take from an image that has several, such as linux/arm64. Default: that of this machine, or else the first' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand sbom" -l registry-ca -d 'A PEM file with certificates to trust when talking to registries, in addition to those of the system. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand sbom" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand sbom" -l in-toto -d 'Wraps the inventory in an in-toto statement about the image, which must have a digest'
complete -c slimroot -n "__fish_slimroot_using_subcommand sbom" -l insecure -d 'Does not verify the certificates of registries, and uses plain HTTP where a registry does not speak TLS'
complete -c slimroot -n "__fish_slimroot_using_subcommand sbom" -l buildkit -d 'Works as a BuildKit SBOM generator: reads BUILDKIT_SCAN_SOURCE and BUILDKIT_SCAN_SOURCE_EXTRAS, and writes statements with SPDX to BUILDKIT_SCAN_DESTINATION'
complete -c slimroot -n "__fish_slimroot_using_subcommand sbom" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand sbom" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand sbom" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand sbom" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand vex" -l builder -d 'The root or image from which the image was packed' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand vex" -l vulnerabilities -d 'Vulnerabilities of the builder: lines of VULNERABILITY COMPONENT [FILE…], or the JSON of grype or trivy. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand vex" -l merge -d 'A VEX document whose statements are kept; slimroot adds none about vulnerabilities that it decides' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand vex" -l format -d 'Format of the document' -r -f -a "openvex\t'OpenVEX 0.2.0'
cyclonedx\t'CycloneDX 1.6 as JSON'"
complete -c slimroot -n "__fish_slimroot_using_subcommand vex" -l product -d 'A name under which scanners know the image, such as pkg:oci/app@sha256%3A…; by default, made from its digest. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand vex" -l author -d 'Author of the document' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand vex" -s o -l output -d 'Where to write the document instead of stdout. An older file is replaced' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand vex" -l platform -d 'Platform to take from an image that has several, such as linux/arm64. Default: that of this machine, or else the first' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand vex" -l registry-ca -d 'A PEM file with certificates to trust when talking to registries, in addition to those of the system. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand vex" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand vex" -l insecure -d 'Does not verify the certificates of registries, and uses plain HTTP where a registry does not speak TLS'
complete -c slimroot -n "__fish_slimroot_using_subcommand vex" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand vex" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand vex" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand vex" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand deps" -l root -l image -d 'The builder\'s file system: a directory, or an image (oci:DIR, oci-archive:FILE or docker-archive:FILE, with a :TAG if it has several; docker://HOST/NAME:TAG or @DIGEST in a registry; NAME:TAG in a local store or the registry that it names)' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand deps" -l platform -d 'Platform to take from an image that has several, such as linux/arm64; build and slim: `all` packs each and writes an index. Default: that of this machine, or else the first' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand deps" -l registry-ca -d 'A PEM file with certificates to trust when talking to registries, in addition to those of the system. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand deps" -s e -l env -d 'Environment variable of the image. PATH, LD_LIBRARY_PATH and LD_PRELOAD also affect the search. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand deps" -s w -l workdir -l cwd -d 'Working directory of the image' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand deps" -l cpu -d 'Highest CPU level that all machines have, such as x86-64-v3; without it, files for all levels are packed' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand deps" -l interpreter -d 'Loader to use if the entry is a plug-in or library, since these specify none' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand deps" -l format -d 'Output format' -r -f -a "tree\t'A tree of dependencies; each object is expanded once'
list\t'One file per line, in load order'
json\t'One JSON document'
dot\t'A graph for Graphviz'"
complete -c slimroot -n "__fish_slimroot_using_subcommand deps" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand deps" -l insecure -d 'Does not verify the certificates of registries, and uses plain HTTP where a registry does not speak TLS. Without it, plain HTTP is used only on this machine'
complete -c slimroot -n "__fish_slimroot_using_subcommand deps" -l no-inherit -d 'Takes over no settings of this process. Without this option, if the root is the running system, the image gets slimroot\'s working directory and variables such as PATH, LANG, LC_*, TZ, PYTHONPATH and NODE_ENV'
complete -c slimroot -n "__fish_slimroot_using_subcommand deps" -l symbols -d 'Also resolves all symbols, like `ldd -r`'
complete -c slimroot -n "__fish_slimroot_using_subcommand deps" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand deps" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand deps" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand deps" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l root -l image -d 'The builder\'s file system: a directory, or an image (oci:DIR, oci-archive:FILE or docker-archive:FILE, with a :TAG if it has several; docker://HOST/NAME:TAG or @DIGEST in a registry; NAME:TAG in a local store or the registry that it names)' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l platform -d 'Platform to take from an image that has several, such as linux/arm64; build and slim: `all` packs each and writes an index. Default: that of this machine, or else the first' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l registry-ca -d 'A PEM file with certificates to trust when talking to registries, in addition to those of the system. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -s e -l env -d 'Environment variable of the image. PATH, LD_LIBRARY_PATH and LD_PRELOAD also affect the search. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -s w -l workdir -l cwd -d 'Working directory of the image' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l cpu -d 'Highest CPU level that all machines have, such as x86-64-v3; without it, files for all levels are packed' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l interpreter -d 'Loader to use if the entry is a plug-in or library, since these specify none' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l bin -d 'Another program to pack, as if it were the entry. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -s p -l profile -d 'Profile to apply: a name from `slimroot profiles`, or a file. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l profiles -d 'Folder with your own profiles. They work like the built-in ones and replace those of the same name' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -s i -l include -d 'Files to add, such as \'/srv/www/**\'. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l trace -d 'Adds the files that a run used, as recorded by `slimroot trace` or `strace -f`. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l copy -d 'Copies a file or directory of the root to another path in the image and keeps modes and owners. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l package -d 'Distribution package to add. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l ca -d 'PEM file on this machine with CA certificates that the image trusts too. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -s x -l exclude -d 'Files to leave out, such as \'/app/test/**\'. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l no-profile -d 'Profile not to apply automatically. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l no-rule -d 'Rule to turn off: an id that `slimroot why` and `slimroot explain` print. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l companions -d 'Packages whose other files (helpers, plug-ins, data, configuration) are packed too' -r -f -a "all\t'The packages of the entries and of all libraries that they load'
entry\t'The packages of the entries only'
none\t'No packages'"
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l pyc -d 'Packs Python bytecode, compiled by the root\'s own interpreter. Without this option none is packed' -r -f -a "none\t'No sources: the smallest image, but Python compiles at every start'
used\t'Files loaded during a trial start of the entry. Another start may load other files and give another digest'
all\t'All sources in the image: the same digest every time'"
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l healthcheck -d 'Health check of the image, written as for `slimroot build`: its program or slimroot\'s probe is packed too' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l format -d 'Output format' -r -f -a "human\t'Text for people'
json\t'One JSON document'"
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l insecure -d 'Does not verify the certificates of registries, and uses plain HTTP where a registry does not speak TLS. Without it, plain HTTP is used only on this machine'
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l no-inherit -d 'Takes over no settings of this process. Without this option, if the root is the running system, the image gets slimroot\'s working directory and variables such as PATH, LANG, LC_*, TZ, PYTHONPATH and NODE_ENV'
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l no-shell -d 'Packs no shell and no busybox'
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l no-auto -d 'Applies only the profiles of --profile, and those that are always applied, such as base'
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -l jlink -d 'Replaces the Java runtime with one that has only the modules that the jars need, using jlink of the root\'s JDK. jlink orders some tables randomly, so another build may give another digest'
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand why" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l root -l image -d 'The builder\'s file system: a directory, or an image (oci:DIR, oci-archive:FILE or docker-archive:FILE, with a :TAG if it has several; docker://HOST/NAME:TAG or @DIGEST in a registry; NAME:TAG in a local store or the registry that it names)' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l platform -d 'Platform to take from an image that has several, such as linux/arm64; build and slim: `all` packs each and writes an index. Default: that of this machine, or else the first' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l registry-ca -d 'A PEM file with certificates to trust when talking to registries, in addition to those of the system. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -s e -l env -d 'Environment variable of the image. PATH, LD_LIBRARY_PATH and LD_PRELOAD also affect the search. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -s w -l workdir -l cwd -d 'Working directory of the image' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l cpu -d 'Highest CPU level that all machines have, such as x86-64-v3; without it, files for all levels are packed' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l interpreter -d 'Loader to use if the entry is a plug-in or library, since these specify none' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l bin -d 'Another program to pack, as if it were the entry. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -s p -l profile -d 'Profile to apply: a name from `slimroot profiles`, or a file. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l profiles -d 'Folder with your own profiles. They work like the built-in ones and replace those of the same name' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -s i -l include -d 'Files to add, such as \'/srv/www/**\'. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l trace -d 'Adds the files that a run used, as recorded by `slimroot trace` or `strace -f`. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l copy -d 'Copies a file or directory of the root to another path in the image and keeps modes and owners. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l package -d 'Distribution package to add. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l ca -d 'PEM file on this machine with CA certificates that the image trusts too. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -s x -l exclude -d 'Files to leave out, such as \'/app/test/**\'. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l no-profile -d 'Profile not to apply automatically. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l no-rule -d 'Rule to turn off: an id that `slimroot why` and `slimroot explain` print. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l companions -d 'Packages whose other files (helpers, plug-ins, data, configuration) are packed too' -r -f -a "all\t'The packages of the entries and of all libraries that they load'
entry\t'The packages of the entries only'
none\t'No packages'"
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l pyc -d 'Packs Python bytecode, compiled by the root\'s own interpreter. Without this option none is packed' -r -f -a "none\t'No sources: the smallest image, but Python compiles at every start'
used\t'Files loaded during a trial start of the entry. Another start may load other files and give another digest'
all\t'All sources in the image: the same digest every time'"
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l allow -d 'Ignores a finding, or one subject of it, such as missing-library=libfoo.so.1. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l warn -d 'Makes a finding a warning. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l deny -d 'Makes a finding an error. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l report -d 'Writes a page that shows the image with the findings: one HTML file that needs no network. An older file is replaced' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -s u -l user -d 'The user that the image runs as' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l healthcheck -d 'Health check of the image, written as for `slimroot build`: its program or slimroot\'s probe is packed too' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l config -d 'A file with the same settings; command-line options take precedence' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l format -d 'Output format' -r -f -a "human\t'Text for people'
json\t'One JSON document'
sarif\t'One SARIF 2.1.0 document, for code scanning'"
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l insecure -d 'Does not verify the certificates of registries, and uses plain HTTP where a registry does not speak TLS. Without it, plain HTTP is used only on this machine'
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l no-inherit -d 'Takes over no settings of this process. Without this option, if the root is the running system, the image gets slimroot\'s working directory and variables such as PATH, LANG, LC_*, TZ, PYTHONPATH and NODE_ENV'
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l no-shell -d 'Packs no shell and no busybox'
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l no-auto -d 'Applies only the profiles of --profile, and those that are always applied, such as base'
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l jlink -d 'Replaces the Java runtime with one that has only the modules that the jars need, using jlink of the root\'s JDK. jlink orders some tables randomly, so another build may give another digest'
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l as-is -d 'Treats the root as a finished image, to which nothing is added'
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -l loaded-only -d 'Checks only the objects that the loader loads for the entry, with versions and symbols, like `ldd -r`'
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand check" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -l root -d 'The builder root to compare with: a directory or an image. The same command runs in it, and is observed in the same way' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -l platform -d 'Platform to take from an image that has several, such as linux/arm64. Default: that of this machine, or else the first' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -l registry-ca -d 'A PEM file with certificates to trust when talking to registries, in addition to those of the system. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -l ready -d 'Waits until the program accepts connections at this port of its own network: tcp:PORT' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -l probe -d 'Request to send: http://127.0.0.1:PORT/PATH[=STATUS]; without a status, any below 400 is accepted. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -l for -d 'Ends the program after this time, such as 10s; without this option, --ready and --probe, it runs until it ends' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -l limit -d 'Maximum run time' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -l memory -d 'Maximum memory of each process, and of files that it makes, in megabytes' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -l processes -d 'Maximum number of processes and threads at a time' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -s e -l env -d 'Environment variable. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -s w -l workdir -d 'Working directory' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -s u -l user -d 'User: that of the image, or 65532:65532 for a directory' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -l file -d 'A file with several runs, such as slimroot.verify.toml: each with arguments, conditions and probes' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -l format -d 'Output format' -r -f -a "human\t'Text for people'
json\t'One JSON document'
junit\t'One JUnit document, for CI systems'
sarif\t'One SARIF 2.1.0 document, for code scanning'"
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -l insecure -d 'Does not verify the certificates of registries, and uses plain HTTP where a registry does not speak TLS'
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -l net -d 'Lets the program use the network of this machine; without this option it has only its own loopback interface'
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -l strict -d 'Also fails if the program looked for files that the image lacks, or if a server logs other lines, even if the program behaves as in the builder root'
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand verify" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand trace" -s o -l output -d 'Where to write the trace. Without this option it goes to stderr when the command has ended' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand trace" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand trace" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand trace" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand trace" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand trace" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand dockerfile" -l base -d 'Image that the last stage is based on, whose settings (ENV, USER, ENTRYPOINT, …) are repeated too: docker://NAME:TAG, a NAME:TAG of docker or podman, or an archive. Only its configuration is read' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand dockerfile" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand dockerfile" -l packer -d 'Packs in a separate stage, so that the builder stage is unchanged. Always done if the builder is FROM scratch'
complete -c slimroot -n "__fish_slimroot_using_subcommand dockerfile" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand dockerfile" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand dockerfile" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand dockerfile" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and not __fish_seen_subcommand_from list show test help" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and not __fish_seen_subcommand_from list show test help" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and not __fish_seen_subcommand_from list show test help" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and not __fish_seen_subcommand_from list show test help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and not __fish_seen_subcommand_from list show test help" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and not __fish_seen_subcommand_from list show test help" -f -a "list" -d 'Lists the built-in profiles'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and not __fish_seen_subcommand_from list show test help" -f -a "show" -d 'Prints the source of a profile'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and not __fish_seen_subcommand_from list show test help" -f -a "test" -d 'Tests profiles against their own examples: the named ones, or all built-in ones'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and not __fish_seen_subcommand_from list show test help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and __fish_seen_subcommand_from list" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and __fish_seen_subcommand_from show" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and __fish_seen_subcommand_from test" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and __fish_seen_subcommand_from test" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and __fish_seen_subcommand_from test" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and __fish_seen_subcommand_from test" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and __fish_seen_subcommand_from help" -f -a "list" -d 'Lists the built-in profiles'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and __fish_seen_subcommand_from help" -f -a "show" -d 'Prints the source of a profile'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and __fish_seen_subcommand_from help" -f -a "test" -d 'Tests profiles against their own examples: the named ones, or all built-in ones'
complete -c slimroot -n "__fish_slimroot_using_subcommand profiles; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c slimroot -n "__fish_slimroot_using_subcommand explain" -l root -l image -d 'The builder\'s file system: a directory, or an image (oci:DIR, oci-archive:FILE or docker-archive:FILE, with a :TAG if it has several; docker://HOST/NAME:TAG or @DIGEST in a registry; NAME:TAG in a local store or the registry that it names)' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand explain" -l platform -d 'Platform to take from an image that has several, such as linux/arm64; build and slim: `all` packs each and writes an index. Default: that of this machine, or else the first' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand explain" -l registry-ca -d 'A PEM file with certificates to trust when talking to registries, in addition to those of the system. Repeatable' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand explain" -s e -l env -d 'Environment variable of the image. PATH, LD_LIBRARY_PATH and LD_PRELOAD also affect the search. Repeatable' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand explain" -s w -l workdir -l cwd -d 'Working directory of the image' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand explain" -l cpu -d 'Highest CPU level that all machines have, such as x86-64-v3; without it, files for all levels are packed' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand explain" -l interpreter -d 'Loader to use if the entry is a plug-in or library, since these specify none' -r
complete -c slimroot -n "__fish_slimroot_using_subcommand explain" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand explain" -l insecure -d 'Does not verify the certificates of registries, and uses plain HTTP where a registry does not speak TLS. Without it, plain HTTP is used only on this machine'
complete -c slimroot -n "__fish_slimroot_using_subcommand explain" -l no-inherit -d 'Takes over no settings of this process. Without this option, if the root is the running system, the image gets slimroot\'s working directory and variables such as PATH, LANG, LC_*, TZ, PYTHONPATH and NODE_ENV'
complete -c slimroot -n "__fish_slimroot_using_subcommand explain" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand explain" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand explain" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand completions" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand completions" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand completions" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand completions" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand man" -l out -d 'Writes the pages of all commands to this directory, in files such as slimroot-build.1, and prints nothing' -r -F
complete -c slimroot -n "__fish_slimroot_using_subcommand man" -l color -d 'When to colour messages' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c slimroot -n "__fish_slimroot_using_subcommand man" -s q -l quiet -d 'Prints no report and no notes: only errors, warnings and requested results'
complete -c slimroot -n "__fish_slimroot_using_subcommand man" -s v -l verbose -d 'Prints the whole report: every group, every profile with its trigger, digests of layers, all notes'
complete -c slimroot -n "__fish_slimroot_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c slimroot -n "__fish_slimroot_using_subcommand man" -s V -l version -d 'Print version'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "build" -d 'Packs an entry with all its runtime dependencies'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "slim" -d 'Packs the program of an image into a smaller image with the same settings'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "index" -d 'Combines images for several platforms into one image'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "plan" -d 'Lists every path of an image with its reason, package and size, without writing the image'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "diff" -d 'Compares two images: plans, locks, directories, or images made by any tool'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "outdated" -d 'Lists packages that have another version in a newer root'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "report" -d 'Writes a page that shows what is in a directory, or in an image made by any tool: one HTML file'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "sbom" -d 'Writes an inventory of the software (SBOM) in a directory, or in an image made by any tool'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "vex" -d 'Writes which vulnerabilities of a builder its image does not have (VEX), as far as the files prove it'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "deps" -d 'Lists the files that a program\'s loader would load, and how it finds them'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "why" -d 'Explains why a path is in the image of an entry'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "check" -d 'Finds problems of an entry or of a finished image'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "verify" -d 'Runs the program of a packed root, compares the run with one in the builder root, and names missing files'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "trace" -d 'Runs a command on this machine and records which files it opens, executes, maps, lists, and fails to find'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "dockerfile" -d 'Prints a Dockerfile with an additional last stage from scratch, made by slimroot, which keeps every setting'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "profiles" -d 'Lists the profiles, shows one, or tests their examples'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "explain" -d 'Explains a message: a code of slimroot, or an error of another program'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "completions" -d 'Prints the completion script of a shell'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "man" -d 'Prints the manual page of slimroot or of one of its commands, or writes all pages to a directory'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and not __fish_seen_subcommand_from build slim index plan diff outdated report sbom vex deps why check verify trace dockerfile profiles explain completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and __fish_seen_subcommand_from profiles" -f -a "list" -d 'Lists the built-in profiles'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and __fish_seen_subcommand_from profiles" -f -a "show" -d 'Prints the source of a profile'
complete -c slimroot -n "__fish_slimroot_using_subcommand help; and __fish_seen_subcommand_from profiles" -f -a "test" -d 'Tests profiles against their own examples: the named ones, or all built-in ones'
