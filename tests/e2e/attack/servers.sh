# SPDX-License-Identifier: Apache-2.0
# Sourced by attack.sh: Debian's Apache and Tomcat 10 set up as the product has them, below /mi, and
# its tables in the private MariaDB. Apache asks a long-lived shell script about each app store
# address (RewriteMap prg:), and hands the rest to Tomcat.
java=$(readlink -f "$(ls -d /usr/lib/jvm/java-17-openjdk-*/bin/java /usr/lib/jvm/default-java/bin/java 2>/dev/null | head -1)")
web=/mi/tomcat/webapps/mifs
access_log=/var/log/httpd/https-access_log

product_files() {
	mkdir -p /mi/bin /mi/files/system /mi/tomcat-properties /mi/httpd "$web/css" "$web/WEB-INF" \
		/mi/tomcat/conf /mi/tomcat/logs /mi/tomcat/temp /mi/tomcat/work /var/log/httpd
	echo '<h1>mifs</h1>' >"$web/index.html"
	echo 'body { margin: 0 }' >"$web/css/style.css"
	echo 'ppw' >/mi/files/system/.mifpp
	echo 'key' >/mi/files/system/key.pem
	echo 'db.user=app' >/mi/tomcat-properties/mifs.properties
	ln -s /usr/bin/busybox /mi/bin/nslookup
	sed 's/^\t//' >/mi/bin/map-appstore-url <<-'END'
	#!/bin/bash
	# What is asked: "kid=1,st=...,et=...,h=...". A name in a comparison is evaluated, and so is what
	# it stands for: the hole of CVE-2026-1281.
	PATH=/mi/bin:/usr/bin:/bin
	while IFS= read -r line; do
		IFS=, read -ra pairs <<<"$line"
		for pair in "${pairs[@]}"; do
			theValue=${pair#*=}
			case ${pair%%=*} in
			st) start=$theValue ;;
			et) end=$theValue ;;
			esac
		done
		printf -v now '%(%s)T' -1
		if [[ $now -gt ${start:-0} && $now -lt ${end:-0} ]]; then echo "$line"; else echo NULL; fi
	done
	END
	chmod 755 /mi/bin/map-appstore-url
	cp tests/e2e/attack/server.xml tests/e2e/attack/web.xml /mi/tomcat/conf/
	sed "s/SERVER/$server/g" tests/e2e/attack/httpd.conf >/mi/httpd/httpd.conf
	chown -R tomcat: /mi/tomcat /mi/files /mi/tomcat-properties /var/log/httpd
	chmod 600 /mi/files/system/.mifpp /mi/files/system/key.pem
	touch "$access_log" && chown tomcat: "$access_log"
}

product_tables() {
	mariadb --no-defaults -S "$dir/my/sock" -u root -e "create database mifs; use mifs;
	create table mi_user(id int primary key, name varchar(60), email varchar(60), mobile varchar(40));
	insert into mi_user select seq, concat('Person ', seq), concat('person', seq, '@example.org'),
	  concat('+32 470 ', lpad(seq, 6, '0')) from seq_1_to_$people;
	create table mifs_ldap_users(id int primary key, dn varchar(80));
	insert into mifs_ldap_users select seq, concat('cn=person', seq) from seq_1_to_$((people / 2));
	create table mifs_ldap_server_config(id int primary key, url varchar(80));
	insert into mifs_ldap_server_config values (1, 'ldap://$inner:389')" || exit 1
}

web_start() {
	# Each executes the next, so that the last has this process id.
	setpriv --reuid=tomcat --regid=tomcat --clear-groups env -i PATH=/usr/bin:/bin "$java" -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
		-Dcatalina.home=/usr/share/tomcat10 -Dcatalina.base=/mi/tomcat -Djava.io.tmpdir=/mi/tomcat/temp \
		-cp /usr/share/tomcat10/bin/bootstrap.jar:/usr/share/tomcat10/bin/tomcat-juli.jar \
		org.apache.catalina.startup.Bootstrap start >"$dir/tomcat.log" 2>&1 &
	tomcat=$!
	# In a process group of its own: at its end it sends SIGTERM to the whole group.
	setsid /usr/sbin/apache2 -D FOREGROUND -f /mi/httpd/httpd.conf >"$dir/httpd.log" 2>&1 &
	httpd=$!
	for _ in $(seq 600); do
		[ "$(curl -s -o /dev/null -w '%{http_code}' "http://$server/mifs/index.html")" = 200 ] && return
		sleep 0.1
	done
	cat "$dir/tomcat.log" "$dir/httpd.log"
	exit 1
}

web_stop() {
	for pid in ${httpd:-} ${tomcat:-}; do
		kill "$pid" && wait "$pid"
	done 2>/dev/null
	httpd='' tomcat=''
}
