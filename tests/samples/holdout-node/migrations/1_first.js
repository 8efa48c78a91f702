exports.up = k => k.schema.createTable("t", t => { t.increments(); t.string("n"); }); exports.down = k => k.schema.dropTable("t");
