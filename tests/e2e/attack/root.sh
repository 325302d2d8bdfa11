# SPDX-License-Identifier: Apache-2.0
# Sourced by attack.sh inside a mount namespace and a network namespace of its own: makes a root
# directory in memory where /mi, /tmp and /var/log are the test's, and all else is the host's.
# Nothing in it outlives the namespaces.
root_enter() {
	local new=/mnt d user
	mount -t tmpfs -o mode=755 tmpfs "$new" || exit 1
	for d in /*; do
		case $d in
		/mnt | /tmp | /mi | /old) continue ;;
		esac
		if [ -L "$d" ]; then
			cp -a "$d" "$new/"
		elif [ -d "$d" ]; then
			mkdir "$new$d" && mount --rbind "$d" "$new$d" || exit 1
		fi
	done
	mkdir -m 1777 "$new/tmp"
	mkdir -p "$new/old" "$new/mnt" "$new$project"
	mount --bind "$project" "$new$project" || exit 1
	# The product's own user, and a resolver that is the attacker's name server.
	{ cat /etc/passwd && echo 'tomcat:x:389:389::/mi/tomcat:/usr/sbin/nologin'; } >"$new/mnt/passwd"
	{ cat /etc/group && echo 'tomcat:x:389:'; } >"$new/mnt/group"
	echo "nameserver $resolver" >"$new/mnt/resolv.conf"
	for user in passwd group resolv.conf; do
		[ -e "/etc/$user" ] || continue
		mount --bind "$new/mnt/$user" "$(readlink -f "$new/etc/$user")" || exit 1
	done
	mount -t tmpfs -o mode=755 tmpfs "$new/var/log" || exit 1
	cd "$new" && pivot_root . old && cd "$project" && umount -l /old && rmdir /old || exit 1
}

# Addresses of the server, the attacker and an inner host: all on the loopback of this namespace.
root_network() {
	ip link set lo up || exit 1
	for address in "$server" "$attacker" "$resolver" "$inner"; do
		ip address add "$address/32" dev lo || exit 1
	done
}
