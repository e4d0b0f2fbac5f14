"""The OCI bundle of a run: what the container's root, files and configuration are made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from apiserver.drivers.threads import Threads
from apiserver.engine.containers.options.identity import CONTAINERENV, DOCKERENV
from apiserver.engine.containers.options.network import HOST
from apiserver.engine.ports.runs import RunSpec
from apiserver.local.paths import write_whole
from apiserver.local.runs import layer_files, netfiles
from apiserver.local.runs.account_files import GROUP, PASSWD, is_covered, read_passwd_and_group
from apiserver.local.runs.copyup import copy_up, give
from apiserver.local.runs.defaults import Defaults
from apiserver.local.runs.filters import Filters
from apiserver.local.runs.machine import Machine
from apiserver.local.runs.plan import RunPlan
from apiserver.local.runs.rootfs import Rootfs
from apiserver.local.runs.sources import make_sources, touching
from apiserver.local.runs.spec import accounts, assemble, host_devices, identity, mounts, process, security, users
from apiserver.local.runs.spec.mounts import Placed
from apiserver.local.runs.targets import make_targets, refuse_linked_mount_points
from apiserver.local.runs.view import View
from apiserver.local.runs.workdir import settle_working_dir

_CONTAINERENV = 'engine="apiserver"\nname="{name}"\nid="{id}"\nimageid="{image}"\n'


class HostFiles(Struct, frozen=True):
    """The host's files that containers see a version of."""

    hosts: Path = Path("/etc/hosts")
    resolv_conf: Path = Path("/etc/resolv.conf")
    passwd: Path = Path("/etc/passwd")


class Bundles:
    def __init__(
        self, machine: Machine, rootfs: Rootfs, threads: Threads, *, host_files: HostFiles | None = None
    ) -> None:
        self._machine = machine
        self._rootfs = rootfs
        self._threads = threads
        self._seccomp = assemble.Seccomp(machine)
        self._filters = Filters()
        self._host_files = host_files or HostFiles()

    async def make(self, spec: RunSpec, plan: RunPlan) -> Callable[[], None]:
        """Mount the root and write all files of a run, `config.json` among them.

        Returns:
            what to call once the runtime has created it.

        Raises:
            InvalidParameter, ImageRemovedUnderneath, HostError
        """
        options = spec.options
        # Everything that can be refused without touching anything comes first.
        security.ignored_apparmor(options.security, self._machine.apparmor)
        asked = mounts.asked_mounts(options.mounts, spec.volumes, recursive_read_only=True)
        hostname = identity.hostname(options, spec.key.container_id, self._machine.host.name)
        cwd = process.working_dir(options.process.working_dir)
        texts = self._texts(spec, hostname)
        nodes = await self._threads.run(host_devices.find, options.devices.devices) if options.devices.devices else ()
        await touching(self._threads, options.mounts, make_sources, options.mounts)
        plan.run.make()
        write_whole(plan.run.plan, json.dumps(plan.to_json()).encode())
        merged = await self._rootfs.mount(plan.container, spec.image_id)
        ours = assemble.our_mounts(spec, self._machine, netfiles.write_files(plan.container, texts))
        placed = mounts.merged(ours, asked)
        refuse_linked_mount_points(merged)
        untouched = (
            await copy_up(self._threads, merged, options.mounts, spec.volumes, spec.new_volumes)
            if spec.new_volumes
            else ()
        )
        user, copies = await touching(self._threads, options.mounts, self._furnish, spec, plan, merged, placed, cwd)
        if untouched and options.mounts.new_volumes_for_user:
            await give(self._threads, untouched, spec.volumes, user_id=user.uid, group_id=user.gid)
        configuration = assemble.configuration(
            spec,
            plan,
            self._machine,
            self._seccomp,
            process=assemble.process_of(spec, self._machine, user=user, hostname=hostname),
            hostname=hostname,
            ours=[*ours, *mounts.file_mounts(copies, read_only=True)],
            asked=asked,
            nodes=nodes,
        )
        unknown_filter = self._filters.annotate(configuration, plan)
        defaults = Defaults(options.process.user, options.security.supplementary_groups, options.process.env, hostname)
        write_whole(plan.run.defaults, defaults.to_json())
        # surrogateescape: arguments and paths may be any bytes.
        write_whole(plan.run.config, json.dumps(configuration, ensure_ascii=False).encode(errors="surrogateescape"))
        return lambda: self._filters.learn(unknown_filter, plan) if unknown_filter is not None else None

    def _texts(self, spec: RunSpec, hostname: str) -> dict[str, str]:
        network = spec.options.network
        texts = {
            "/etc/hosts": netfiles.hosts(
                network,
                spec.endpoints,
                hostname=hostname,
                domain=identity.domainname(spec.options.identity),
                name=spec.name,
                host_file=netfiles.read_host_file(self._host_files.hosts) if network.mode == HOST else "",
            ),
            "/etc/hostname": f"{hostname}\n",
            "/etc/resolv.conf": netfiles.resolv_conf(
                network, spec.endpoints, netfiles.read_host_file(self._host_files.resolv_conf)
            ),
        }
        if spec.options.identity.marker == CONTAINERENV:
            texts[CONTAINERENV] = _CONTAINERENV.format(name=spec.name, id=spec.key.container_id, image=spec.image_id)
        if spec.options.process.timezone:
            from apiserver.local.runs import timezones  # no start needs it

            texts[timezones.TARGET] = timezones.read(spec.options.process.timezone)
        return {target: text for target, text in texts.items() if target not in network.image_files}

    def _furnish(
        self, spec: RunSpec, plan: RunPlan, merged: Path, placed: Sequence[Placed], cwd: str
    ) -> tuple[users.User, dict[str, Path]]:
        """Make what mounts and the first process stand on, and find out who that is.

        Returns:
            the user, and what else of ours to mount, read-only: target -> file.
        """
        with View(merged) as view:
            make_targets(view, placed)
            layer_files.make_mtab(merged)
            if spec.options.identity.marker == DOCKERENV:
                layer_files.make_empty(merged, DOCKERENV)
            user, copies = self._user(spec, plan, merged, view, cwd)
            create = spec.options.process.create_working_dir
            missing = "" if create else f'workdir "{cwd}" does not exist on container {spec.key.container_id}'
            settle_working_dir(view, cwd, missing=missing)
        return user, copies

    def _user(
        self, spec: RunSpec, plan: RunPlan, merged: Path, view: View, cwd: str
    ) -> tuple[users.User, dict[str, Path]]:
        asked, more_groups = spec.options.process, spec.options.security.supplementary_groups
        passwd, group = read_passwd_and_group(view)
        user = users.resolve(asked.user, more_groups, passwd, group)
        if not asked.adds_accounts or not asked.user:
            return user, {}
        added = {}
        if not is_covered(view, PASSWD):
            host = netfiles.read_host_file(self._host_files.passwd).encode(errors="surrogateescape")
            line = accounts.passwd_line(asked.user, passwd, group, home=cwd, entry=asked.passwd_entry, host_passwd=host)
            added[PASSWD] = accounts.to_append(passwd, line)
        if not is_covered(view, GROUP):
            line = accounts.group_line(asked.user, group, entry=asked.group_entry)
            added[GROUP] = accounts.to_append(group, line)
        whole = {PASSWD: passwd + added.get(PASSWD, b""), GROUP: group + added.get(GROUP, b"")}
        home = users.resolve(asked.user, more_groups, whole[PASSWD], whole[GROUP]).home
        changed = {path: data for path, data in added.items() if data}
        if spec.options.mounts.read_only_rootfs:
            texts = {path: whole[path].decode(errors="surrogateescape") for path in changed}
            copies = netfiles.write_files(plan.container, texts)
            make_targets(view, mounts.file_mounts(copies, read_only=True))
            return replace(user, home=home), copies
        for path, data in changed.items():
            # Into the container's own layer, and no mount: useradd in a container puts a new file in its place.
            layer_files.append(merged, path, data)
        return replace(user, home=home), {}
