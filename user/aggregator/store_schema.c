// SPDX-License-Identifier: Apache-2.0
// The tables of the SQLite store. Changes come with a new number and a migration.
#include "aggregator/store_schema.h"

const char store_schema[] =
	"BEGIN;"
	"CREATE TABLE hosts("
	" id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	" boot_id TEXT NOT NULL DEFAULT '', program TEXT NOT NULL DEFAULT '',"
	" first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL,"
	" events INTEGER NOT NULL DEFAULT 0, findings INTEGER NOT NULL DEFAULT 0,"
	" gaps INTEGER NOT NULL DEFAULT 0, coverage INTEGER) STRICT;"
	/* A boot and class of a host: how far it came, and the hash chain there. */
	"CREATE TABLE streams("
	" id INTEGER PRIMARY KEY, host INTEGER NOT NULL REFERENCES hosts, boot_id TEXT NOT NULL,"
	" class INTEGER NOT NULL, seq INTEGER NOT NULL DEFAULT 0, chain BLOB,"
	" UNIQUE(host, boot_id, class)) STRICT;"
	/* The evidence: events as they were spooled. */
	"CREATE TABLE events("
	" id INTEGER PRIMARY KEY, stream INTEGER NOT NULL REFERENCES streams, seq INTEGER NOT NULL,"
	" time INTEGER NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL,"
	" UNIQUE(stream, seq)) STRICT;"
	"CREATE INDEX events_time ON events(time);"
	/* The latest state of each finding. */
	"CREATE TABLE findings("
	" host INTEGER NOT NULL REFERENCES hosts, id TEXT NOT NULL,"
	" event INTEGER NOT NULL REFERENCES events, status TEXT NOT NULL, rule TEXT NOT NULL,"
	" title TEXT NOT NULL, level TEXT NOT NULL, principal TEXT NOT NULL, window TEXT NOT NULL,"
	" tables TEXT NOT NULL, time INTEGER NOT NULL, rows INTEGER NOT NULL,"
	" rows_min INTEGER NOT NULL, rows_max INTEGER NOT NULL, gap INTEGER NOT NULL,"
	" stored INTEGER NOT NULL, PRIMARY KEY(host, id)) STRICT;"
	"CREATE INDEX findings_time ON findings(time);"
	"CREATE TABLE gaps("
	" id INTEGER PRIMARY KEY, stream INTEGER NOT NULL REFERENCES streams,"
	" first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, reason TEXT NOT NULL,"
	" time INTEGER NOT NULL) STRICT;"
	"CREATE TABLE refusals("
	" id INTEGER PRIMARY KEY, time INTEGER NOT NULL, peer TEXT NOT NULL, name TEXT NOT NULL,"
	" reason TEXT NOT NULL) STRICT;"
	"PRAGMA application_id = 1380141124;"
	"PRAGMA user_version = 1;"
	"COMMIT;";
