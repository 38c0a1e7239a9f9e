/* SPDX-License-Identifier: MIT */
/* deisctl: the operator's tool. It reads and writes the platform's state in etcd. */
#include "deisctl/deisctl.h"
#include "deisctl/keyfile.h"

#include <getopt.h>
#include <stdio.h>

#define DEFAULT_ENDPOINT "http://127.0.0.1:2379"

struct command {
    const char *name;
    const char *usage;
    const char *help;
    int (*run)(struct deis_etcd *etcd, int argc, char **argv, struct deis_err *err);
};

static const struct command commands[] = {
    { "config", "config <component> get|set|rm|list ...", "read and change the platform's settings",
      command_config },
    { "key:activate", "key:activate [--key-file F]",
      "seal with the new cluster key, once all hold it", command_keys },
    { "key:add", "key:add [--key-file F]", "add a new cluster key, which does not seal yet",
      command_keys },
    { "key:list", "key:list [--key-file F]", "the cluster keys, and what is sealed with each",
      command_keys },
    { "key:retire", "key:retire [--key-file F]", "remove old cluster keys, once nothing needs them",
      command_keys },
    { "key:rotate", "key:rotate [--key-file F] [--timeout SECONDS]",
      "all of that one after the other; goes on where it was broken off", command_keys },
    { "list", "list", "the services, and the units of all apps with their machines", command_list },
    { "machines", "machines", "the machines and whether they are present", command_machines },
    { "router:routes", "router:routes [--router ADDR:PORT] [--json] [HOST|APP]",
      "where a router sends what (its private port; default 127.0.0.1:9090)",
      command_router_routes },
    { "router:set", "router:set --control SOCKET HOST ADDR:PORT",
      "change a backend of a router that runs from a file", command_router_set },
    { "status", "status [<component>|<unit>]", "health of the platform, one service or one unit",
      command_status },
    { "users:bootstrap", "users:bootstrap NAME [--email E] [--password-file F]",
      "make the first administrator (password: a line of standard input)",
      command_users_bootstrap },
};

static void print_help(void)
{
    printf("Usage: deisctl [--endpoint URL[,URL]] [--cafile F --certfile F --keyfile F] <command>\n"
           "\nCommands:\n");
    for (size_t i = 0; i < DEIS_COUNT(commands); i++) {
        printf("  %-42s %s\n", commands[i].usage, commands[i].help);
    }
    printf("\nThe endpoint may also be given by DEISCTL_ENDPOINT; default " DEFAULT_ENDPOINT ".\n"
           "The key file F may also be given by DEISCTL_KEY_FILE; default " KEYFILE_DEFAULT ".\n");
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < DEIS_COUNT(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static int run(const struct deis_etcd_opts *opts, int argc, char **argv)
{
    struct deis_err err = DEIS_ERR_INIT;
    const struct command *command = find_command(argv[0]);

    if (!command) {
        fprintf(stderr, "deisctl: no command '%.64s'; see 'deisctl --help'\n", argv[0]);
        return 1;
    }
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        printf("Usage: deisctl %s\n\n%s\n", command->usage, command->help);
        return 0;
    }
    struct deis_etcd *etcd = deis_etcd_new(opts, &err);
    int r = etcd ? command->run(etcd, argc, argv, &err) : err.code;
    deis_etcd_free(etcd);
    if (r < 0) {
        fprintf(stderr, "deisctl: %s\n", err.msg);
        if (r == DEIS_INVALID) {
            fprintf(stderr, "Usage: deisctl %s\n", command->usage);
        }
        return 1;
    }
    return 0;
}

/* What was said is only said when it has been written. */
static int end(int status)
{
    bool written = fflush(stdout) == 0 && !ferror(stdout);

    if (!written && status == 0) {
        fprintf(stderr, "deisctl: can't write the output\n");
        return 1;
    }
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "endpoint", required_argument, NULL, 'e' },
        { "cafile", required_argument, NULL, 'a' },
        { "certfile", required_argument, NULL, 'c' },
        { "keyfile", required_argument, NULL, 'k' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'v' },
        { NULL, 0, NULL, 0 },
    };
    const char *env = getenv("DEISCTL_ENDPOINT");
    struct deis_etcd_opts opts = { .endpoints = env && *env ? env : DEFAULT_ENDPOINT };
    int c;

    deis_runtime_init("deisctl");
    while ((c = getopt_long(argc, argv, "+hv", options, NULL)) != -1) {
        switch (c) {
        case 'e': opts.endpoints = optarg; break;
        case 'a': opts.tls.ca_file = optarg; break;
        case 'c': opts.tls.cert_file = optarg; break;
        case 'k': opts.tls.key_file = optarg; break;
        case 'v': printf("%s\n", DEIS_VERSION); return end(0);
        case 'h': print_help(); return end(0);
        default: return 1;
        }
    }
    if (optind >= argc || strcmp(argv[optind], "help") == 0) {
        print_help();
        return end(optind >= argc ? 1 : 0);
    }
    return end(run(&opts, argc - optind, argv + optind));
}
