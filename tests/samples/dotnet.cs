using System; using System.Globalization; using System.Security.Cryptography; using System.Text; using System.Resources; using System.Reflection; using System.Net; using System.IO;
public static class Hello {
  public static int Main(string[] args) {
    Console.WriteLine("args " + string.Join(" ", args) + " clr " + Environment.Version);
    foreach (var c in new[]{"de-DE","tr-TR"}) { var k = new CultureInfo(c);
      Console.WriteLine(c + " " + 1234567.89.ToString("N2", k) + " " + new DateTime(2020,3,1).ToString("D", k) + " " + "istanbul".ToUpper(k)); }
    Console.WriteLine(string.Compare("\u00e4", "z", new CultureInfo("sv-SE"), CompareOptions.None) > 0 ? "sv sorts" : "sv does not sort");
    Console.WriteLine(TimeZoneInfo.ConvertTimeFromUtc(new DateTime(2020,7,1,12,0,0,DateTimeKind.Utc), TimeZoneInfo.FindSystemTimeZoneById("Europe/Zurich")).ToString("s"));
    if (Array.IndexOf(args, "nohash") < 0) { using (var h = SHA256.Create()) Console.WriteLine(BitConverter.ToString(h.ComputeHash(Encoding.UTF8.GetBytes("x"))).Substring(0, 11));
    using (var a = Aes.Create()) { a.Key = new byte[32]; a.IV = new byte[16]; Console.WriteLine("aes " + a.CreateEncryptor().TransformFinalBlock(new byte[4],0,4)[0]); } }
    var r = new ResourceManager("hello", typeof(Hello).Assembly);
    Console.WriteLine(r.GetString("greeting", CultureInfo.InvariantCulture) + " / " + r.GetString("greeting", new CultureInfo("de")));
    Console.WriteLine(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "data.txt")));
    foreach (var at in args) if (at.StartsWith("https:")) { try { using (var w = new WebClient()) Console.WriteLine("tls " + w.DownloadString(at)); } catch (Exception e) { Console.WriteLine("tls " + e.Message + " " + (e.InnerException == null ? "" : e.InnerException.Message)); } }
    try { throw new InvalidOperationException("boom"); } catch (Exception e) { Console.WriteLine(e.Message); }
    return 7;
  }
}
