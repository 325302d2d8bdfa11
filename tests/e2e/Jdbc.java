// SPDX-License-Identifier: Apache-2.0
// Reads the staff table through both JDBC drivers, as a management server does: each case in a
// session of its own, by another of the ways they have. Says for each what it received:
// SYSTEM NAME ROWS. Arguments: the ports of PostgreSQL and MariaDB.
import java.io.StringWriter;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.LinkedHashMap;
import java.util.Map;
import org.postgresql.copy.CopyManager;
import org.postgresql.core.BaseConnection;

public class Jdbc {
	interface Reader {
		long read(Connection c) throws Exception;
	}

	record Case(String options, Reader reader) {
	}

	private static final String LIMITED = "select name from staff where id > ? limit 9";
	private static final int SESSIONS = 8;

	private static long rows(ResultSet r) throws SQLException {
		long n = 0;

		for (; r.next(); n++)
			r.getString(1);
		return n;
	}

	private static long all(Connection c) throws SQLException {
		return query(c, "select name, mobile from staff");
	}

	private static long query(Connection c, String sql) throws SQLException {
		try (Statement s = c.createStatement()) {
			return rows(s.executeQuery(sql));
		}
	}

	private static long several(Connection c, String sql) throws SQLException {
		long n = 0;

		try (Statement s = c.createStatement()) {
			for (boolean is = s.execute(sql); is || s.getUpdateCount() >= 0; is = s.getMoreResults())
				n += is ? rows(s.getResultSet()) : 0;
		}
		return n;
	}

	// The drivers prepare on the server after some executions only.
	private static long prepared(Connection c, int times, String sql) throws SQLException {
		long n = 0;

		try (PreparedStatement p = c.prepareStatement(sql)) {
			for (int i = 0; i < times; i++) {
				p.setInt(1, 10 * i);
				n += rows(p.executeQuery());
			}
		}
		return n;
	}

	private static long sliced(Connection c, int size) throws SQLException {
		c.setAutoCommit(false);
		try (PreparedStatement p = c.prepareStatement("select id, name, mobile from staff order by id")) {
			if (size > 0)
				p.setFetchSize(size);
			return rows(p.executeQuery());
		}
	}

	private static long first(Connection c, int n) throws SQLException {
		try (Statement s = c.createStatement()) {
			s.setMaxRows(n);
			return rows(s.executeQuery("select * from staff"));
		}
	}

	private static long scrolled(Connection c) throws SQLException {
		try (Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_READ_ONLY)) {
			ResultSet r = s.executeQuery("select name from staff");

			r.last();
			return r.getRow();
		}
	}

	private static long called(Connection c, String call) throws SQLException {
		try (CallableStatement s = c.prepareCall(call)) {
			s.execute();
			return rows(s.getResultSet());
		}
	}

	// Look-ups of no interest, of which most are only counted, before and behind those that are told.
	private static long between(Connection c) throws SQLException {
		long n = 0;

		for (int i = 0; i < 20; i++) {
			prepared(c, 20, "select serial from device where id > ? limit 1");
			n += prepared(c, 2, LIMITED);
			query(c, "select serial from device where id = 7");
			n += query(c, "select name from staff where id <= 11");
		}
		return n;
	}

	private static long transactions(Connection c, boolean commit) throws SQLException {
		long n = 0;

		c.setAutoCommit(false);
		for (int i = 0; i < 20; i++) {
			n += prepared(c, 1, LIMITED);
			n += prepared(c, 1, "select mobile from staff where id > ? limit 2");
			if (commit)
				c.commit();
		}
		c.rollback();
		return n;
	}

	// What is read before and after must not be mixed up with the many results of a batch.
	private static long batch(Connection c) throws SQLException {
		long n = all(c);

		try (Statement s = c.createStatement()) {
			s.execute("create temporary table batch(id int, name varchar(20))");
		}
		try (PreparedStatement p = c.prepareStatement("insert into batch values (?, ?)")) {
			for (int i = 0; i < 500; i++) {
				p.setInt(1, i);
				p.setString(2, "x");
				p.addBatch();
			}
			p.executeBatch();
		}
		return n + all(c);
	}

	private static long keys(Connection c) throws SQLException {
		String sql = "update staff set dept = dept where id = ?";

		try (PreparedStatement p = c.prepareStatement(sql, new String[] {"id", "name"})) {
			for (int i = 1; i <= 40; i++) {
				p.setInt(1, i);
				p.addBatch();
			}
			p.executeBatch();
			return rows(p.getGeneratedKeys());
		}
	}

	private static long copied(Connection c) throws Exception {
		return new CopyManager(c.unwrap(BaseConnection.class)).copyOut("copy staff to stdout", new StringWriter());
	}

	private static long cursor(Connection c, int size) throws SQLException {
		c.setAutoCommit(false);
		try (Statement s = c.createStatement()) {
			s.execute("create or replace function f_cursor() returns refcursor language plpgsql as "
				+ "'declare r refcursor; begin open r for select name from staff; return r; end'");
			s.setFetchSize(size);
			ResultSet r = s.executeQuery("select f_cursor()");

			r.next();
			return rows((ResultSet) r.getObject(1));
		}
	}

	// A pool's sessions, at the same time.
	private static long pool(String url) throws InterruptedException {
		Thread[] threads = new Thread[SESSIONS];
		long[] n = new long[SESSIONS];
		long sum = 0;

		for (int i = 0; i < SESSIONS; i++) {
			int own = i;

			threads[i] = new Thread(() -> {
				try (Connection c = DriverManager.getConnection(url)) {
					for (int turn = 0; turn < 30; turn++)
						n[own] += prepared(c, 3, LIMITED) + (turn % 10 == 0 ? all(c) : 0);
				} catch (SQLException e) {
					throw new IllegalStateException(e);
				}
			});
			threads[i].start();
		}
		for (int i = 0; i < SESSIONS; i++) {
			threads[i].join();
			sum += n[i];
		}
		return sum;
	}

	private static Map<String, Case> postgresql() {
		Map<String, Case> m = new LinkedHashMap<>();

		m.put("simple", new Case("preferQueryMode=simple", Jdbc::all));
		m.put("extended", new Case("", Jdbc::all));
		m.put("cached", new Case("preferQueryMode=extendedCacheEverything", c -> all(c) + all(c) + all(c) + all(c) + all(c) + all(c) + all(c)));
		m.put("mixed", new Case("preferQueryMode=extendedForPrepared", c -> all(c) + prepared(c, 12, LIMITED)));
		m.put("prepared", new Case("", c -> prepared(c, 20, LIMITED)));
		m.put("prepared_clear", new Case("sslmode=disable", c -> prepared(c, 20, LIMITED)));
		m.put("prepared_tls", new Case("sslmode=require", c -> prepared(c, 20, LIMITED)));
		m.put("prepared_at_once", new Case("prepareThreshold=1", c -> prepared(c, 20, LIMITED)));
		m.put("between", new Case("", Jdbc::between));
		m.put("between_clear", new Case("sslmode=disable", Jdbc::between));
		m.put("binary", new Case("prepareThreshold=-1", c -> prepared(c, 20, "select id from staff where id > ? limit 9")));
		m.put("sliced", new Case("sslmode=disable", c -> sliced(c, 100)));
		m.put("sliced_tls", new Case("sslmode=require", c -> sliced(c, 100)));
		m.put("sliced_seven", new Case("defaultRowFetchSize=7", c -> sliced(c, 0)));
		m.put("first", new Case("", c -> first(c, 77)));
		m.put("several", new Case("", c -> several(c, "select name from staff limit 10; select 1 from device limit 0; select name from staff limit 20")));
		m.put("committed", new Case("", c -> transactions(c, true)));
		m.put("rolled_back", new Case("", c -> transactions(c, false)));
		m.put("function", new Case("", c -> query(c, "select * from f_staff()")));
		m.put("called", new Case("", c -> called(c, "{call f_staff()}")));
		m.put("view", new Case("", c -> query(c, "select * from v_staff")));
		m.put("scrolled", new Case("", Jdbc::scrolled));
		m.put("copied", new Case("", Jdbc::copied));
		m.put("batch", new Case("", Jdbc::batch));
		m.put("batch_rewritten", new Case("reWriteBatchedInserts=true", Jdbc::batch));
		m.put("keys", new Case("", Jdbc::keys));
		m.put("cursor", new Case("", c -> cursor(c, 0)));
		m.put("cursor_sliced", new Case("", c -> cursor(c, 50)));
		return m;
	}

	private static Map<String, Case> mariadb() {
		Map<String, Case> m = new LinkedHashMap<>();
		String tls = "useSsl=true&trustServerCertificate=true";

		m.put("text", new Case("", Jdbc::all));
		m.put("tls", new Case(tls, Jdbc::all));
		m.put("compressed", new Case("useCompression=true", Jdbc::all));
		m.put("tls_compressed", new Case(tls + "&useCompression=true", Jdbc::all));
		m.put("prepared", new Case("", c -> prepared(c, 20, LIMITED)));
		m.put("server_prepared", new Case("useServerPrepStmts=true", c -> prepared(c, 20, LIMITED)));
		m.put("server_prepared_tls", new Case("useServerPrepStmts=true&" + tls, c -> prepared(c, 20, LIMITED)));
		m.put("server_prepared_compressed", new Case("useServerPrepStmts=true&useCompression=true", c -> prepared(c, 20, LIMITED)));
		m.put("between", new Case("", Jdbc::between));
		m.put("between_prepared", new Case("useServerPrepStmts=true", Jdbc::between));
		m.put("streamed", new Case("", c -> sliced(c, 100)));
		m.put("server_prepared_streamed", new Case("useServerPrepStmts=true", c -> sliced(c, 100)));
		m.put("first", new Case("", c -> first(c, 77)));
		m.put("several", new Case("allowMultiQueries=true", c -> several(c, "select name from staff limit 10; select 1 from device limit 0; select name from staff limit 20")));
		m.put("committed", new Case("", c -> transactions(c, true)));
		m.put("called", new Case("", c -> called(c, "{call p_staff()}")));
		m.put("scrolled", new Case("", Jdbc::scrolled));
		m.put("batch", new Case("", Jdbc::batch));
		m.put("batch_rewritten", new Case("rewriteBatchedStatements=true", Jdbc::batch));
		m.put("returning", new Case("", c -> query(c, "insert into staff values (900001, 'A', 'B', 'C') returning name, mobile")));
		return m;
	}

	private static void run(String system, String url, Map<String, Case> cases) throws Exception {
		for (Map.Entry<String, Case> e : cases.entrySet())
			try (Connection c = DriverManager.getConnection(url.replace("NAME", e.getKey()) + "&" + e.getValue().options))  {
				System.out.println(system + " " + e.getKey() + " " + e.getValue().reader.read(c));
			}
		System.out.println(system + " pool " + pool(url.replace("NAME", "pool")));
	}

	public static void main(String[] args) throws Exception {
		run("postgresql", "jdbc:postgresql://127.0.0.1:" + args[0] + "/hr?user=app&ApplicationName=NAME", postgresql());
		run("mariadb", "jdbc:mariadb://127.0.0.1:" + args[1] + "/mdm?user=NAME&password=pw", mariadb());
	}
}
