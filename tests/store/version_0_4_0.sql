BEGIN TRANSACTION;
CREATE TABLE artifacts (
	run_id VARCHAR(40) NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	data BLOB NOT NULL, 
	PRIMARY KEY (run_id, kind), 
	FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "artifacts" VALUES('done000000','keras',X'0102');
INSERT INTO "artifacts" VALUES('done000000','checkpoint',X'03');
CREATE TABLE facts (
	name VARCHAR(40) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "facts" VALUES('schema_version','4');
INSERT INTO "facts" VALUES('download','wanted');
INSERT INTO "facts" VALUES('download_message','');
CREATE TABLE metrics (
	run_id VARCHAR(40) NOT NULL, 
	step INTEGER NOT NULL, 
	epoch FLOAT NOT NULL, 
	loss FLOAT NOT NULL, 
	accuracy FLOAT NOT NULL, 
	learning_rate FLOAT NOT NULL, 
	seconds FLOAT NOT NULL, 
	validation_loss FLOAT, 
	validation_accuracy FLOAT, 
	PRIMARY KEY (run_id, step), 
	FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "metrics" VALUES('done000000',1,0.1,2.0,0.5,0.001,0.1,NULL,NULL);
INSERT INTO "metrics" VALUES('done000000',10,3.0,0.1,0.97,0.001,1.0,0.2,0.96);
INSERT INTO "metrics" VALUES('running000',1,0.1,2.0,0.5,0.001,0.1,NULL,NULL);
CREATE TABLE runs (
	number INTEGER NOT NULL, 
	id VARCHAR(40) NOT NULL, 
	owner VARCHAR(64) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	config TEXT NOT NULL, 
	created_at FLOAT NOT NULL, 
	worker VARCHAR(40), 
	stop_requested BOOLEAN NOT NULL, 
	message TEXT NOT NULL, 
	dataset VARCHAR(200), 
	test_fingerprint VARCHAR(16), 
	test_accuracy FLOAT, 
	train_seconds FLOAT, 
	epochs INTEGER, 
	parameters INTEGER, 
	name VARCHAR(40) DEFAULT '' NOT NULL, 
	pinned BOOLEAN DEFAULT 0 NOT NULL, 
	turn INTEGER DEFAULT '0' NOT NULL, 
	version INTEGER DEFAULT '0' NOT NULL, 
	checkpoint_step INTEGER DEFAULT '0' NOT NULL, 
	losses INTEGER DEFAULT '0' NOT NULL, 
	sweep VARCHAR(40), 
	PRIMARY KEY (number), 
	UNIQUE (id)
);
INSERT INTO "runs" VALUES(1,'done000000','2744ccd10c7533bd736ad890f9dd5cab2adb27b07d500b9493f29cdc420cb2e0','finished','{"augmentation": false, "batch_normalization": false, "batch_size": 256, "convolutions": [], "dense": [128, 64], "drawn_digits": 3000, "dropout": 0.0, "epochs": 3, "label_smoothing": 0.0, "learning_rate": 0.006, "looks": 1, "more_epochs": [], "optimizer": "adam", "preset": "classic", "schedule": "cosine", "seed": 0, "shuffled_labels": 0.0, "training_images": 60000, "weight_decay": 0.0}',1.79586503658566474907e+09,'w',0,'','MNIST: 60,000 training and 10,000 test images','abc',0.98,3.0,3,109386,'First',1,1,1,10,0,NULL);
INSERT INTO "runs" VALUES(2,'running000','bb0347a468d97e98a9c00e37cebec1ab930f6f1221cae0f1fbb92b07e1900ba2','running','{"augmentation": false, "batch_normalization": false, "batch_size": 256, "convolutions": [], "dense": [128, 64], "drawn_digits": 3000, "dropout": 0.0, "epochs": 3, "label_smoothing": 0.0, "learning_rate": 0.006, "looks": 1, "more_epochs": [], "optimizer": "adam", "preset": "classic", "schedule": "cosine", "seed": 0, "shuffled_labels": 0.0, "training_images": 60000, "weight_decay": 0.0}',1.79586503663324809076e+09,'w',0,'',NULL,NULL,NULL,NULL,NULL,NULL,'',0,2,0,0,0,NULL);
INSERT INTO "runs" VALUES(3,'sweep00001','c9a8dc336964db7fd6c764f1ff23925d6f281ece50472c0c7699b8eb0f8ac227','waiting','{"augmentation": false, "batch_normalization": false, "batch_size": 256, "convolutions": [], "dense": [128, 64], "drawn_digits": 3000, "dropout": 0.0, "epochs": 3, "label_smoothing": 0.0, "learning_rate": 0.006, "looks": 1, "more_epochs": [], "optimizer": "adam", "preset": "classic", "schedule": "cosine", "seed": 0, "shuffled_labels": 0.0, "training_images": 60000, "weight_decay": 0.0}',1.79586503664078950878e+09,NULL,0,'',NULL,NULL,NULL,NULL,NULL,NULL,'',0,3,0,0,0,'sweep00001');
INSERT INTO "runs" VALUES(4,'sweep00002','c9a8dc336964db7fd6c764f1ff23925d6f281ece50472c0c7699b8eb0f8ac227','waiting','{"augmentation": false, "batch_normalization": false, "batch_size": 256, "convolutions": [], "dense": [128, 64], "drawn_digits": 3000, "dropout": 0.0, "epochs": 3, "label_smoothing": 0.0, "learning_rate": 0.006, "looks": 1, "more_epochs": [], "optimizer": "adam", "preset": "classic", "schedule": "cosine", "seed": 0, "shuffled_labels": 0.0, "training_images": 60000, "weight_decay": 0.0}',1.79586503664490747451e+09,NULL,0,'',NULL,NULL,NULL,NULL,NULL,NULL,'',0,4,0,0,0,'sweep00001');
INSERT INTO "runs" VALUES(5,'sweep00003','c9a8dc336964db7fd6c764f1ff23925d6f281ece50472c0c7699b8eb0f8ac227','waiting','{"augmentation": false, "batch_normalization": false, "batch_size": 256, "convolutions": [], "dense": [128, 64], "drawn_digits": 3000, "dropout": 0.0, "epochs": 3, "label_smoothing": 0.0, "learning_rate": 0.006, "looks": 1, "more_epochs": [], "optimizer": "adam", "preset": "classic", "schedule": "cosine", "seed": 0, "shuffled_labels": 0.0, "training_images": 60000, "weight_decay": 0.0}',1.79586503664546537394e+09,NULL,0,'',NULL,NULL,NULL,NULL,NULL,NULL,'',0,5,0,0,0,'sweep00001');
INSERT INTO "runs" VALUES(6,'stopped000','d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa','interrupted','{"augmentation": false, "batch_normalization": false, "batch_size": 256, "convolutions": [], "dense": [128, 64], "drawn_digits": 3000, "dropout": 0.0, "epochs": 3, "label_smoothing": 0.0, "learning_rate": 0.006, "looks": 1, "more_epochs": [], "optimizer": "adam", "preset": "classic", "schedule": "cosine", "seed": 0, "shuffled_labels": 0.0, "training_images": 60000, "weight_decay": 0.0}',1.79586503664790511124e+09,NULL,0,'Stopped before it began.',NULL,NULL,NULL,NULL,NULL,NULL,'',0,6,0,0,0,NULL);
CREATE TABLE studies (
	"key" VARCHAR(120) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	turn INTEGER NOT NULL, 
	worker VARCHAR(40), 
	losses INTEGER NOT NULL, 
	message TEXT NOT NULL, 
	data BLOB, 
	PRIMARY KEY ("key")
);
INSERT INTO "studies" VALUES('waiting','waiting',1,NULL,0,'',NULL);
INSERT INTO "studies" VALUES('done','done',2,NULL,0,'',X'726573756C74');
INSERT INTO "studies" VALUES('failed','waiting',3,NULL,0,'',NULL);
CREATE TABLE workers (
	id VARCHAR(40) NOT NULL, 
	host VARCHAR(200) NOT NULL, 
	pid INTEGER NOT NULL, 
	beat INTEGER NOT NULL, 
	ready BOOLEAN NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "workers" VALUES('w','host',1,0,1);
CREATE INDEX ix_runs_state ON runs (state);
CREATE INDEX ix_runs_owner ON runs (owner);
COMMIT;
