create table t(a integer primary key, b);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
  insert into t select i, i * i % 1000 from n;
create index by_b on t(b);
select count(*), sum(b) from t;
select b, count(*) as c from t group by b order by c desc, b limit 3;
select upper('done'), printf('%.3f', avg(a)) from t where b = 25;
